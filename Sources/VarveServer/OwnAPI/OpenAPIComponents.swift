/// What `/openapi.yaml` says of parameters, answers and their parts.
let openAPIComponents = """
    components:
      securitySchemes:
        bearer:
          type: http
          scheme: bearer
          description: |
            A token of the configuration, or one of `POST /v1/oauth/tokens`. A server without credentials
            takes everybody, and listens on its own machine only.
      parameters:
        Namespace:
          name: namespace
          in: path
          required: true
          description: Levels are joined by dots, or by the unit separator (`%1F`) as in the Iceberg protocol.
          schema: {type: string}
        Table:
          name: table
          in: path
          required: true
          schema: {type: string}
        IdempotencyKey:
          name: Idempotency-Key
          in: header
          description: |
            Makes a retry safe: 8 to 128 visible characters, best a UUID. It is the id of the commit; for a day
            (`idempotency-key-lifetime` of `GET /v1/config`) every server of the warehouse answers the same key with
            the same commit. Refusals (4xx) are repeated by the server that gave them. The same key with another
            body, path or principal gets 422.
          schema: {type: string, minLength: 8, maxLength: 128}
        Limit:
          name: limit
          in: query
          schema: {type: integer, minimum: 1, maximum: 1000, default: 100}
        Node:
          name: node
          in: query
          required: true
          description: "`ns.table`, `ns.table.column`, `ns.table@snapshot`, or a file; `run:ID`, `job:NAME`, or `file:PATH`."
          schema: {type: string}
        Depth:
          name: depth
          in: query
          description: How many steps to go; as far as it leads if not said.
          schema: {type: integer, minimum: 1, maximum: 10000}
        Since:
          name: since
          in: query
          description: Only what ran from this log position or time on. It bounds what is shown, not what is looked at.
          schema: {type: string}
        Until:
          name: until
          in: query
          description: Only what ran up to this log position or time.
          schema: {type: string}
        ValuesOnly:
          name: values_only
          in: query
          description: Whether to leave out what only decides which rows there are.
          schema: {type: boolean, default: false}
        Many:
          name: limit
          in: query
          description: How many, at most.
          schema: {type: integer, minimum: 1, maximum: 10000, default: 100}
        Columns:
          name: columns
          in: query
          description: Whether to ask about all columns of a table.
          schema: {type: boolean, default: false}
        AsOf:
          name: as_of
          in: query
          description: A log position, or a time such as `2024-05-01 12:30:00+00`.
          schema: {type: string}
        NamespaceQuery:
          name: namespace
          in: query
          description: Where names without a namespace are looked up.
          schema: {type: string, default: main}
        CatalogBranch:
          name: branch
          in: query
          description: A branch or tag of the whole catalog.
          schema: {type: string}
        EventNamespace:
          name: namespace
          in: path
          required: true
          schema: {type: string, minLength: 1}
        EventDataset:
          name: dataset
          in: path
          required: true
          schema: {type: string, minLength: 1}
        EventJob:
          name: job
          in: path
          required: true
          schema: {type: string, minLength: 1}
        EventRun:
          name: id
          in: path
          required: true
          schema: {type: string, minLength: 1}
        EventLimit:
          name: limit
          in: query
          schema: {type: integer, minimum: 0, maximum: 10000, default: 100}
        EventOffset:
          name: offset
          in: query
          schema: {type: integer, minimum: 0, maximum: 2147483647, default: 0}
        LastRunStates:
          name: lastRunStates
          in: query
          description: Only jobs whose latest run is in one of these states, with commas between them.
          schema: {type: string}
        Replaced:
          name: replaced
          in: query
          description: Whether what ran counts even where the rows that it wrote have been replaced since.
          schema: {type: boolean, default: false}
        LineageFormat:
          name: format
          in: query
          schema: {type: string, enum: [json, ndjson, dot, graphml, cypher, openlineage], default: json}
      responses:
        MarquezObject:
          description: As Marquez answers.
          content:
            application/json:
              schema: {type: object}
        MarquezJobs:
          description: As Marquez answers.
          content:
            application/json:
              schema:
                type: object
                required: [jobs, totalCount]
                properties:
                  jobs: {type: array, items: {type: object}}
                  totalCount: {type: integer}
        BadRequest:
          description: The request makes no sense; nothing was done.
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Error"}
        Unauthorized:
          description: No credentials, or none that are known here.
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Error"}
        NotFound:
          description: There is no such thing.
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Error"}
        NotAcceptable:
          description: No accepted format can be given, or the request needs what this version lacks; nothing was done.
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Error"}
        Conflict:
          description: It exists already, or somebody else changed the same thing first; nothing was done.
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Error"}
        TooLarge:
          description: The body is larger than the limit; nothing was done.
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Error"}
        UnsupportedMediaType:
          description: The content type or encoding is not taken; nothing was done.
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Error"}
        Unprocessable:
          description: |
            Rows or values are not as they must be (`row` says where), an expectation does not hold, specs
            are wrong (`issues`), or the key was another request's; nothing was done.
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Error"}
        Busy:
          description: Too much is under way; nothing was done. `Retry-After` says when to come again.
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Error"}
        Unknown:
          description: Nobody knows whether the change was made; ask again with the same key.
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Error"}
        NotReady:
          description: The log cannot be read now.
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Error"}
        TimedOut:
          description: It took longer than it may; whether a change was made is not known.
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Error"}
        Lineage:
          description: |
            The part of the graph that answers, in the format that was asked for. `complete` says whether the log
            accounts for all of it; `gaps` says why not.
          content:
            application/json:
              schema:
                anyOf:
                  - {$ref: "#/components/schemas/Lineage"}
                  - {type: array, description: Events of OpenLineage., items: {type: object}}
            application/x-ndjson:
              schema: {type: string, description: "`{answer: ...}`, then a line a node and a line an edge."}
            text/vnd.graphviz:
              schema: {type: string}
            application/xml:
              schema: {type: string}
            text/plain:
              schema: {type: string}
      schemas:
        Error:
          type: object
          required: [error]
          properties:
            error:
              type: object
              required: [message, type, code]
              properties:
                message: {type: string}
                type: {type: string, description: The name of an exception of Iceberg's clients.}
                code: {type: integer, description: The status.}
                sqlstate: {type: string}
                line: {type: integer, description: Of the statement.}
                column: {type: integer}
                hint: {type: string}
                statement: {type: integer, description: "Of several statements the one that failed, from 1."}
                row:
                  type: object
                  description: Of rows that were sent, the one at fault.
                  properties:
                    line: {type: integer, description: Where it begins, from 1.}
                    column: {type: integer}
                    column_name: {type: string}
                issues: {type: array, items: {$ref: "#/components/schemas/Issue"}}
                transform: {type: string, description: The one that failed.}
                run_id: {type: string}
                runs: {type: array, items: {$ref: "#/components/schemas/RunResult"}}
        Query:
          type: object
          required: [sql]
          additionalProperties: false
          properties:
            sql: {type: string}
            parameters:
              description: "An array for `$1`, `$2`, ...; an object for `$name`."
              anyOf:
                - {type: array, items: {type: [string, number, boolean, "null"]}}
                - {type: object, additionalProperties: {type: [string, number, boolean, "null"]}}
            as_of:
              description: The state of the whole catalog that is read; a log position or a time.
              type: [integer, string]
            namespace: {type: string, default: main}
            branch:
              type: string
              description: >-
                The branch of the whole catalog that is read and written, or a tag of it, which is only read.
            table_branch:
              type: string
              description: >-
                The branch of tables that is read and written. A table that has none is read as its `main`;
                the first write makes the branch.
              default: main
        Result:
          type: object
          required: [columns, rows, row_count]
          properties:
            columns:
              type: array
              items:
                type: object
                required: [name, type, nullable]
                properties:
                  name: {type: string}
                  type: {type: string}
                  nullable: {type: boolean}
            rows:
              type: array
              description: Integers beyond 2^53 and decimals are strings.
              items: {type: array}
            row_count: {type: integer}
        SnapshotID:
          type: [string, "null"]
          description: A string, since it does not fit the numbers of JavaScript.
        TableName:
          type: object
          required: [namespace, name]
          properties:
            namespace: {type: array, items: {type: string}}
            name: {type: string}
        Upload:
          type: object
          required: [table, mode, row_count, rejected_row_count, snapshot_id, log_position, created, replayed]
          properties:
            table: {$ref: "#/components/schemas/TableName"}
            mode: {type: string}
            row_count: {type: integer}
            rejected_row_count:
              type: [integer, "null"]
              description: Rows left out; null in a repeated answer, where that is not known any more.
            snapshot_id: {$ref: "#/components/schemas/SnapshotID"}
            log_position: {type: integer, format: int64}
            created: {type: boolean, description: Whether the commit made the table.}
            replayed: {type: boolean, description: Whether an earlier request with this key had done it.}
        Commit:
          type: object
          required: [position, index, time_ms, time, server, id, actor, entry_sha256, previous_sha256, changes]
          properties:
            position: {type: integer, format: int64}
            index: {type: integer, description: Among the commits of the log entry.}
            time_ms: {type: integer, format: int64}
            time: {type: string, format: date-time}
            server: {type: string}
            id: {type: string}
            actor: {type: string}
            request_id: {type: [string, "null"]}
            message: {type: [string, "null"]}
            branch: {type: [string, "null"], description: "The branch that was changed, or merged into; null for main."}
            entry_sha256: {type: string, description: SHA-256 of the bytes of the log entry.}
            previous_sha256: {type: string, description: "SHA-256 of the entry before, as this one says it."}
            changes: {type: array, items: {type: object}, description: As Formats/catalog-log has them.}
            lineage: {type: [object, "null"], description: As Formats/lineage-facts has it.}
        Log:
          type: object
          required: [commits, position, next]
          properties:
            commits: {type: array, items: {$ref: "#/components/schemas/Commit"}}
            position: {type: integer, format: int64, description: The log's end.}
            next: {type: [integer, "null"], description: "`from` of the next page; null at the end."}
        Commits:
          type: object
          required: [commits, next_before]
          properties:
            commits: {type: array, items: {$ref: "#/components/schemas/Commit"}}
            next_before: {type: [integer, "null"], description: "`before` of the next page; null at the end."}
        AuditReport:
          type: object
          description: As Formats/audit-report has it.
          required: [report, format-version, made, warehouse, asked, as-of, table, complete, gaps, rows, absence,
            commit-count, commits, proof]
          properties:
            report: {type: string, const: varve-audit-explain}
            format-version: {type: integer}
            made: {type: object}
            warehouse: {type: object}
            asked: {type: object}
            as-of: {type: object}
            table: {type: object}
            complete: {type: boolean}
            gaps: {type: array, items: {type: string}}
            rows: {type: object}
            absence: {type: [object, "null"]}
            commit-count: {type: integer}
            commits: {type: array, items: {type: object}}
            proof: {type: object}
        Verification:
          type: object
          required: [from, to, hash, commit_count, fault, checkpoint_count, checkpoint_faults, verified]
          properties:
            from: {type: integer, format: int64}
            to: {type: integer, format: int64}
            hash: {type: string, description: SHA-256 of the last entry.}
            commit_count: {type: integer}
            fault:
              type: [object, "null"]
              properties:
                key: {type: string}
                message: {type: string}
            checkpoint_count: {type: integer, description: Checkpoints compared with the entries.}
            checkpoint_faults:
              type: array
              items:
                type: object
                properties:
                  key: {type: string}
                  message: {type: string}
            table_faults:
              type: array
              items:
                type: object
                properties:
                  table: {$ref: "#/components/schemas/TableName"}
                  message: {type: string}
            events:
              type: [object, "null"]
              description: With `events=true`, the same of the log of events; null where there is none, or it cannot be read.
              properties:
                from: {type: integer, format: int64}
                to: {type: integer, format: int64}
                hash: {type: string}
            event_count: {type: integer}
            event_faults:
              type: array
              description: Of the log of events and of events in it, of these the first 1000.
              items:
                type: object
                required: [place, message]
                properties:
                  place: {type: string}
                  message: {type: string}
            lineage_index_count: {type: integer, description: "With `lineage=true`."}
            lineage_faults:
              type: array
              items:
                type: object
                properties:
                  key: {type: string}
                  message: {type: string}
            verified: {type: boolean, description: Whether nothing that was looked at has a fault.}
        TableHistory:
          type: object
          required: [table, uuid, metadata_location, current_snapshot_id, snapshots, commits, next_before]
          properties:
            table: {$ref: "#/components/schemas/TableName"}
            uuid: {type: string}
            metadata_location: {type: string}
            current_snapshot_id: {type: [integer, "null"], format: int64}
            snapshots: {type: array, items: {type: object}, description: As Iceberg's table metadata has them.}
            commits: {type: array, items: {$ref: "#/components/schemas/Commit"}}
            next_before: {type: [integer, "null"], format: int64}
        Lineage:
          type: object
          required: [question, node, position, complete, gaps, cut, nodes, edges]
          properties:
            question: {type: string, enum: [upstream, downstream, path, impact]}
            node: {type: string}
            to: {type: string}
            position: {type: integer, format: int64}
            time: {type: [string, "null"]}
            complete: {type: boolean}
            gaps: {type: array, items: {type: string}}
            cut: {type: boolean, description: Whether there is more beyond `depth`.}
            nodes:
              type: array
              items:
                type: object
                required: [name, kind, dataset, depth, direct, masked]
                properties:
                  name: {type: string}
                  kind: {type: string, enum: [table, file, view, column, rows, run, job]}
                  dataset: {type: string}
                  uuid: {type: string}
                  column: {type: string}
                  field_id: {type: integer}
                  dropped: {type: boolean}
                  depth: {type: integer}
                  direct: {type: boolean, description: Whether values flow between it and the node asked about.}
                  masked: {type: boolean}
                  view: {type: boolean, description: That it is a view or a part of one.}
                  effect: {type: string, enum: [unknown]}
                  reason: {type: string, description: "Why it is not known whether values flow: what a view reads is not known, or a run on the way did not trace columns."}
            edges: {type: array, items: {type: object}}
            jobs:
              type: array
              description: Of impact, when asked for; the job's newest run, and what of the answer that read and wrote.
              items:
                type: object
                required: [name, job, run, commit, operation, position, time, depth, direct, inputs, outputs]
                properties:
                  name: {type: string, description: "`job:NAME`."}
                  job: {type: object}
                  run: {type: string}
                  depth: {type: integer}
                  direct: {type: boolean}
                  effect: {type: string, enum: [unknown]}
                  reason: {type: string}
                  inputs: {type: array, items: {type: string}}
                  outputs: {type: array, items: {type: string}}
        LineageEvents:
          type: object
          required: [events, position, next]
          properties:
            events:
              type: array
              items: {type: object, description: "A RunEvent of OpenLineage 2-0-2."}
            position: {type: integer, format: int64, description: The newest log position.}
            next: {type: [integer, "null"], format: int64, description: Where the next page begins; null for the last.}
        Specs:
          type: object
          required: [specs]
          additionalProperties: false
          properties:
            specs:
              type: array
              minItems: 1
              maxItems: 1000
              items:
                anyOf:
                  - {type: object}
                  - {type: string, description: YAML or JSON.}
            select:
              type: array
              description: "`name`, `+name` with all it reads from, `name+` with all that reads from it, `ns.*`, `tag:word`."
              items: {type: string}
            namespace: {type: string, default: main}
        Issue:
          type: object
          required: [spec, line, column, key, message]
          properties:
            spec: {type: string}
            line: {type: integer}
            column: {type: integer}
            key: {type: string}
            message: {type: string}
            hint: {type: string}
        Plans:
          type: object
          required: [plans]
          properties:
            plans:
              type: array
              items:
                type: object
                required: [name, kind, version, sql, reads, drops, expectations, runnable, unsupported, notes]
                properties:
                  name: {type: string}
                  kind: {type: string}
                  version: {type: string, description: SHA-256 of the canonical spec.}
                  sql: {type: string}
                  reads: {type: array, items: {type: string}}
                  expectations_read: {type: array, items: {type: string}}
                  drops: {type: array, items: {type: object}}
                  expectations: {type: array, items: {type: object}}
                  runnable: {type: boolean}
                  unsupported: {type: array, items: {$ref: "#/components/schemas/Issue"}}
                  notes: {type: array, items: {$ref: "#/components/schemas/Issue"}}
        Runs:
          type: object
          required: [runs]
          properties:
            runs: {type: array, items: {$ref: "#/components/schemas/RunResult"}}
        RunResult:
          type: object
          required: [run_id, name, kind, version, row_count, snapshot_id, log_position, inputs, dropped, expectations, warnings, notes]
          properties:
            run_id: {type: string}
            name: {type: string}
            kind: {type: string}
            version: {type: string}
            row_count: {type: integer}
            snapshot_id: {$ref: "#/components/schemas/SnapshotID"}
            log_position: {type: integer, format: int64}
            inputs:
              type: array
              description: The exact snapshots that were read.
              items:
                type: object
                required: [name, snapshot_id]
                properties:
                  name: {type: string}
                  snapshot_id: {$ref: "#/components/schemas/SnapshotID"}
            dropped:
              type: array
              items:
                type: object
                properties:
                  name: {type: string}
                  row_count: {type: integer}
            expectations:
              type: array
              items:
                type: object
                required: [name, on_violation, violations, total, met]
                properties:
                  name: {type: string}
                  on_violation: {type: string, enum: [warn, fail, drop, quarantine]}
                  violations: {type: integer}
                  total: {type: integer}
                  met: {type: boolean}
            warnings: {type: array, items: {type: string}}
            notes: {type: array, items: {$ref: "#/components/schemas/Issue"}}
        Run:
          type: object
          required: [run_id, flows]
          properties:
            run_id: {type: string}
            flows:
              type: array
              items:
                type: object
                required: [job, inputs, output, commit]
                properties:
                  job:
                    type: object
                    properties:
                      kind: {type: string}
                      name: {type: string}
                      version: {type: [string, "null"]}
                  inputs: {type: array, items: {$ref: "#/components/schemas/Dataset"}}
                  output: {$ref: "#/components/schemas/Dataset"}
                  commit: {type: object}
        Dataset:
          type: object
          properties:
            table: {type: array, items: {type: string}}
            uuid: {type: string}
            file: {type: string}
            snapshot_id: {$ref: "#/components/schemas/SnapshotID"}
            operation: {type: string}
        Webhooks:
          type: object
          required: [webhooks, position]
          properties:
            webhooks: {type: array, items: {$ref: "#/components/schemas/Webhook"}}
            position: {type: integer, format: int64, description: The log's end.}
        Webhook:
          type: object
          required: [name, url, state, position, index, lag_entries, holder, is_delivered_here, failure, disabled_at]
          properties:
            name: {type: string}
            url: {type: string, description: Without its query.}
            state:
              type: string
              enum: [waiting, delivering, failing, disabled]
              description: "`waiting` for a server to take it; `disabled` by its receiver's 410."
            position: {type: [integer, "null"], format: int64, description: The entry of the next event.}
            index: {type: [integer, "null"], description: The index of the next event in its entry.}
            lag_entries: {type: [integer, "null"], format: int64}
            holder: {type: [string, "null"], description: The server that delivers.}
            is_delivered_here: {type: boolean}
            failure:
              anyOf:
                - type: "null"
                - type: object
                  required: [since, attempt_count, message, next_attempt]
                  properties:
                    since: {type: string, format: date-time}
                    attempt_count: {type: integer}
                    message: {type: string}
                    next_attempt: {type: [string, "null"], format: date-time}
            disabled_at: {type: [string, "null"], format: date-time}
            trouble:
              type: [string, "null"]
              description: Why this server cannot read or write the log or the webhook's state now.
            delivered_event_count: {type: integer, description: By this server since its start.}
            failed_attempt_count: {type: integer, description: By this server since its start.}
            namespaces: {type: array, items: {type: string}}
            tables: {type: array, items: {type: string}}
            batch_events_max: {type: integer}
        Status:
          type: object
          required: [status]
          properties:
            status: {type: string, enum: [live, ready]}
            position: {type: integer, format: int64}
        Index:
          type: object
          required: [name, description, routes]
          properties:
            name: {type: string}
            description: {type: string}
            routes:
              type: array
              items:
                type: object
                required: [method, path]
                properties:
                  method: {type: string}
                  path: {type: string}
        LineageEvent:
          type: object
          description: An event of OpenLineage 2-0-2.
          required: [eventTime, producer, schemaURL]
          properties:
            eventTime: {type: string, format: date-time}
            producer: {type: string, format: uri}
            schemaURL: {type: string, format: uri}
        BatchSummary:
          type: object
          required: [status, summary, failed_events]
          properties:
            status: {type: string, enum: [partial_success]}
            summary:
              type: object
              required: [received, successful, failed, retriable, non_retriable]
              additionalProperties: {type: integer}
            failed_events:
              type: array
              items:
                type: object
                required: [index, reason, retriable]
                properties:
                  index: {type: integer}
                  reason: {type: string}
                  retriable: {type: boolean}
        GraphNode:
          type: object
          required: [id, type, data, inEdges, outEdges]
          properties:
            id: {type: string}
            type: {type: string, enum: [DATASET, JOB, DATASET_FIELD]}
            data: {type: object}
            inEdges: {type: array, items: {$ref: "#/components/schemas/GraphEdge"}}
            outEdges: {type: array, items: {$ref: "#/components/schemas/GraphEdge"}}
        GraphEdge:
          type: object
          required: [origin, destination]
          properties:
            origin: {type: string}
            destination: {type: string}
        MarquezGraph:
          type: object
          required: [graph]
          properties:
            graph: {type: array, items: {$ref: "#/components/schemas/GraphNode"}}

    """
