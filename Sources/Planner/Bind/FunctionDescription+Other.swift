extension FunctionDescription {
    static let otherLines = #"""
        # Choices
        coalesce ifnull nvl ¦ coalesce(value, …) → value ¦ The first value that is not null. ¦ coalesce(NULL, 2, 3)
        nullif ¦ nullif(a, b) → value ¦ Null where a equals b, else a. ¦ nullif(1, 1)
        if iif ¦ if(condition, a, b) → value ¦ a where the condition is true, else b. ¦ if(1 < 2, 'yes', 'no')
        isnull ¦ isnull(value) → boolean ¦ Whether it is null. ¦ isnull(NULL)
        isnotnull ¦ isnotnull(value) → boolean ¦ Whether it is not null. ¦ isnotnull(NULL)
        try ¦ try(expression) → value ¦ Null where computing the expression fails. ¦ try(1 // 0)
        error ¦ error(text) → nothing ¦ Fails with a message, for rows that must not be. ¦ CASE WHEN 1 > 2 THEN error('never') ELSE 1 END
        # Identifiers
        uuid gen_random_uuid uuidv4 ¦ uuid() → uuid ¦ A random UUID, a new one for each row. ¦ uuid_extract_version(uuid())
        uuidv7 ¦ uuidv7() → uuid ¦ A random UUID that begins with the time. ¦ uuid_extract_version(uuidv7())
        uuid_extract_version ¦ uuid_extract_version(uuid) → integer ¦ The version of a UUID. ¦ uuid_extract_version('018f6a1c-4cf5-7000-8000-000000000000')
        uuid_extract_timestamp ¦ uuid_extract_timestamp(uuid) → timestamptz ¦ The time in a UUID of version 7. ¦ uuid_extract_timestamp('018f6a1c-4cf5-7000-8000-000000000000') = TIMESTAMPTZ '2024-05-12 01:47:29.013+00'
        # The session
        typeof ¦ typeof(value) → text ¦ The type of a value. ¦ typeof(1.5)
        pg_typeof ¦ pg_typeof(value) → text ¦ The type of a value in lower case. ¦ pg_typeof('a')
        current_user user session_user current_role ¦ current_user → text ¦ Who runs the statement. ¦ current_user = session_user
        current_schema ¦ current_schema() → text ¦ Where names without a namespace are looked up. ¦ current_schema()
        current_database current_catalog ¦ current_database() → text ¦ Always varve. ¦ current_database()
        current_setting ¦ current_setting(name) → text ¦ The value of a setting. ¦ current_setting('timezone')
        version ¦ version() → text ¦ The program and its version. ¦ starts_with(version(), 'Varve')
        """#
}
