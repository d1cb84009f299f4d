/// What `/openapi.yaml` says of the paths.
let openAPIPaths = """
    openapi: 3.1.0
    info:
      title: Varve
      version: "1"
      summary: Queries, rows, lineage, transforms and audits of one warehouse.
      description: |
        Varve's own interface. The same server speaks the Apache Iceberg REST catalog protocol under
        `/v1/...` and `/iceberg/v1/...`, which Iceberg's own document describes; what of it is served stands
        in `GET /v1/config`, under `endpoints`.

        Every error is JSON in the shape of the Iceberg protocol (`Error` below). A status of 500, 502, 503 or
        504 in answer to a change means that nobody knows whether it was made; every other error means that
        it was not. `X-Request-ID` of a request comes back with its answer and stands in logs and commits.
      license:
        name: Apache-2.0
        identifier: Apache-2.0
    externalDocs:
      description: The Iceberg REST catalog protocol
      url: https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml
    servers:
      - url: /
    security:
      - bearer: []
      - {}
    tags:
      - name: queries
      - name: tables
      - name: lineage
      - name: openlineage
      - name: transforms
      - name: audit
      - name: operation
    paths:
      /varve/v1/query:
        post:
          operationId: query
          tags: [queries]
          summary: Run statements and get the rows of the last one.
          description: |
            Statements are separated by semicolons and run in order; the first that fails ends it. Rows are
            streamed. A result that ends early (the server fails half-way) has no last chunk, an Arrow stream
            no end marker, a JSON document no end. A closed connection cancels. Statements take no
            `Idempotency-Key`.
          requestBody:
            required: true
            content:
              application/json:
                schema: {$ref: "#/components/schemas/Query"}
          responses:
            "200":
              description: |
                The rows, in the format that `Accept` prefers. Of a statement without rows, one row:
                statement, row_count, log_position, snapshot_id.
              content:
                application/vnd.apache.arrow.stream:
                  schema: {type: string, contentEncoding: binary}
                application/x-ndjson:
                  schema: {type: string, description: One object a row.}
                application/json:
                  schema: {$ref: "#/components/schemas/Result"}
                text/csv:
                  schema:
                    type: string
                    description: RFC 4180; NULL is an empty field, an empty string is `""`.
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
            "406": {$ref: "#/components/responses/NotAcceptable"}
            "409": {$ref: "#/components/responses/Conflict"}
            "422": {$ref: "#/components/responses/Unprocessable"}
            "429": {$ref: "#/components/responses/Busy"}
            "504": {$ref: "#/components/responses/TimedOut"}
      /varve/v1/tables/{namespace}/{table}/rows:
        parameters:
          - {$ref: "#/components/parameters/Namespace"}
          - {$ref: "#/components/parameters/Table"}
        post:
          operationId: uploadRows
          tags: [tables]
          summary: Add rows to a table, or put them in the place of its rows, in one atomic commit.
          description: |
            Columns are matched by name; columns that the body lacks are NULL. Numbers, times and texts are
            cast to the table's types. The body is kept on the server's disk until it is whole, so a client
            that stops half-way has changed nothing.
          parameters:
            - name: mode
              in: query
              description: |
                `create` appends, to a table that is made from the rows' columns when there is none. `merge`
                is not in this version and gets 406.
              schema: {type: string, enum: [append, overwrite, create, merge], default: append}
            - name: key
              in: query
              description: Belongs to mode `merge`; refused with the others.
              schema: {type: string}
            - name: on_error
              in: query
              description: |
                What to do with rows that cannot be read: `fail` (nothing is committed), `skip`, or `quarantine`
                (kept in a table named like this one with `_rejected` behind, in the same commit).
              schema: {type: string, enum: [fail, skip, quarantine], default: fail}
            - name: branch
              in: query
              description: The branch of the catalog that the table is on.
              schema: {type: string, default: main}
            - name: source
              in: query
              description: What lineage calls the rows' origin; `upload:sha256-...` if not said.
              schema: {type: string, maxLength: 1024}
            - name: delimiter
              in: query
              description: CSV. One ASCII character; found out if not said.
              schema: {type: string}
            - name: header
              in: query
              description: |
                CSV. Whether the first line has the columns' names; found out if not said. Without names the columns
                are the table's, in its order. `text/csv; header=absent` says the same.
              schema: {type: boolean}
            - name: "null"
              in: query
              description: CSV. The text that means NULL; the empty field if not said.
              schema: {type: string}
            - name: quote
              in: query
              description: CSV. One ASCII character; empty when nothing is quoted.
              schema: {type: string}
            - name: escape
              in: query
              description: CSV. One ASCII character.
              schema: {type: string}
            - name: comment
              in: query
              description: CSV. The character that lines begin with which are no rows.
              schema: {type: string}
            - name: skip
              in: query
              description: CSV. Lines before the header.
              schema: {type: integer, minimum: 0, maximum: 1000000}
            - name: Content-Encoding
              in: header
              schema: {type: string, enum: [identity, gzip, zstd]}
            - {$ref: "#/components/parameters/IdempotencyKey"}
          requestBody:
            required: true
            content:
              application/vnd.apache.arrow.stream:
                schema: {type: string, contentEncoding: binary}
              application/vnd.apache.arrow.file:
                schema: {type: string, contentEncoding: binary}
              application/vnd.apache.parquet:
                schema: {type: string, contentEncoding: binary}
              text/csv:
                schema: {type: string}
              application/x-ndjson:
                schema: {type: string, description: One object a row.}
              application/json:
                schema: {type: array, items: {type: object}}
          responses:
            "200":
              description: The commit.
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/Upload"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
            "406": {$ref: "#/components/responses/NotAcceptable"}
            "409": {$ref: "#/components/responses/Conflict"}
            "413": {$ref: "#/components/responses/TooLarge"}
            "415": {$ref: "#/components/responses/UnsupportedMediaType"}
            "422": {$ref: "#/components/responses/Unprocessable"}
            "429": {$ref: "#/components/responses/Busy"}
            "500": {$ref: "#/components/responses/Unknown"}
            "504": {$ref: "#/components/responses/TimedOut"}
      /varve/v1/tables/{namespace}/{table}/history:
        parameters:
          - {$ref: "#/components/parameters/Namespace"}
          - {$ref: "#/components/parameters/Table"}
        get:
          operationId: tableHistory
          tags: [audit]
          summary: A table's snapshots, and the commits that changed it under all its names, newest first.
          parameters:
            - {$ref: "#/components/parameters/Limit"}
            - name: before
              in: query
              description: Only commits before this log position; `next_before` of the page before.
              schema: {type: integer, format: int64, minimum: 1}
          responses:
            "200":
              description: One page.
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/TableHistory"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
      /varve/v1/log:
        get:
          operationId: log
          tags: [audit]
          summary: Commits of the whole warehouse, oldest first.
          parameters:
            - name: from
              in: query
              description: The first log position wanted; `next` of the page before.
              schema: {type: integer, format: int64, minimum: 0, default: 1}
            - {$ref: "#/components/parameters/Limit"}
          responses:
            "200":
              description: One page; `limit` counts log positions, each of which has one commit or more.
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/Log"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
      /varve/v1/commits:
        get:
          operationId: commits
          tags: [audit]
          summary: Commits that filters let through, newest first.
          description: |
            Filters go together; a commit is listed when all of them let it through. A page ends when it has
            `limit` commits or 4096 log entries were read, so it may be short, or empty, and not the last.
          parameters:
            - name: actor
              in: query
              description: Who did it; several with commas between them.
              schema: {type: string}
            - name: since
              in: query
              description: A log position or a time; itself included.
              schema: {type: string}
            - name: until
              in: query
              description: A log position or a time; itself included.
              schema: {type: string}
            - name: table
              in: query
              description: The table or view that was changed, through all its names; one that was dropped, too.
              schema: {type: string}
            - name: column
              in: query
              description: |
                A column of `table`, through all its names: what changed it, and what wrote rows (append,
                overwrite) while the table had it.
              schema: {type: string}
            - name: kind
              in: query
              description: |
                Kinds with commas between them: append, overwrite, delete, replace, create, drop, rename,
                schema, partitioning, sort-order, properties, reference, expire, namespace, view, branch, tag,
                merge, unknown, or what the log calls changes (`update-table`).
              schema: {type: string}
            - name: message
              in: query
              description: A part of the message, whatever the case.
              schema: {type: string}
            - name: run
              in: query
              description: The run whose flows the commit carries.
              schema: {type: string}
            - name: commit
              in: query
              description: How the commit's id begins.
              schema: {type: string}
            - name: before
              in: query
              description: Only entries before this log position; `next_before` of the page before.
              schema: {type: integer, format: int64, minimum: 1}
            - {$ref: "#/components/parameters/Limit"}
            - {$ref: "#/components/parameters/AsOf"}
            - {$ref: "#/components/parameters/CatalogBranch"}
            - {$ref: "#/components/parameters/NamespaceQuery"}
          responses:
            "200":
              description: One page.
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/Commits"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
      /varve/v1/audit/explain:
        get:
          operationId: explain
          tags: [audit]
          summary: Which commits, runs, inputs and people made rows, with what proves it.
          description: |
            Rows are named by `where`, or by `row_id` in tables of format version 3; without either the whole
            table is told by commit. The report is what `varve audit explain` gives.
          parameters:
            - name: table
              in: query
              required: true
              schema: {type: string, minLength: 1}
            - name: row_id
              in: query
              schema: {type: integer, format: int64, minimum: 0}
            - name: where
              in: query
              description: An SQL condition.
              schema: {type: string}
            - name: limit
              in: query
              description: Rows that are listed and followed at most; all are counted.
              schema: {type: integer, minimum: 0, maximum: 10000, default: 100}
            - {$ref: "#/components/parameters/Depth"}
            - name: hash_data
              in: query
              description: Whether data files are read to their last byte, for their SHA-256.
              schema: {type: boolean, default: false}
            - name: format
              in: query
              schema: {type: string, enum: [json, html, text], default: json}
            - {$ref: "#/components/parameters/AsOf"}
            - {$ref: "#/components/parameters/CatalogBranch"}
            - name: table_branch
              in: query
              description: A branch of the table itself.
              schema: {type: string}
            - {$ref: "#/components/parameters/NamespaceQuery"}
          responses:
            "200":
              description: The report, in the format that was asked for.
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/AuditReport"}
                text/html:
                  schema: {type: string}
                text/plain:
                  schema: {type: string}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
            "429": {$ref: "#/components/responses/Busy"}
            "504": {$ref: "#/components/responses/TimedOut"}
      /varve/v1/events:
        get:
          operationId: events
          tags: [audit]
          summary: Commits as they come, as server-sent events.
          description: |
            Every commit is one event: its `id` is the log position and the index in the entry, its `data` a
            CloudEvent (JSON, one line) whose `data` is the commit as `/varve/v1/log` gives it. The stream has
            no end; a client that was cut off asks again with `Last-Event-ID`.
          parameters:
            - name: from
              in: query
              description: The first log position wanted; if not said, only what is committed from now on.
              schema: {type: integer, format: int64, minimum: 0}
            - name: Last-Event-ID
              in: header
              description: The id of the last event that the client has; comes before `from`.
              schema: {type: string, pattern: "^[0-9]+[.][0-9]+$"}
          responses:
            "200":
              description: Events, until the client goes away or the server stops.
              content:
                text/event-stream:
                  schema: {type: string}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
      /varve/v1/webhooks:
        get:
          operationId: webhooks
          tags: [audit]
          summary: How far the configured webhooks are, and what keeps them.
          responses:
            "200":
              description: All webhooks of this server's configuration.
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/Webhooks"}
            "401": {$ref: "#/components/responses/Unauthorized"}
      /varve/v1/log/verify:
        get:
          operationId: verifyLog
          tags: [audit]
          summary: Walk the log's hash chain.
          parameters:
            - name: from
              in: query
              description: From 1 every change is checked, too; later, only the chain.
              schema: {type: integer, format: int64, minimum: 1, default: 1}
            - name: to
              in: query
              description: The last position; the log's end if not said.
              schema: {type: integer, format: int64, minimum: 1}
            - name: tables
              in: query
              description: Whether to read the metadata file of every table, too.
              schema: {type: boolean, default: false}
            - name: events
              in: query
              description: Whether to walk the log of the events of OpenLineage, too, and to check every event in it.
              schema: {type: boolean, default: false}
            - name: lineage
              in: query
              description: Whether to read the indexes of the lineage, too, and to check their hashes.
              schema: {type: boolean, default: false}
          responses:
            "200":
              description: What was found; a fault is not an error of the request.
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/Verification"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
      /varve/v1/lineage/upstream:
        get:
          operationId: lineageUpstream
          tags: [lineage]
          summary: What a node came from.
          parameters:
            - {$ref: "#/components/parameters/Node"}
            - {$ref: "#/components/parameters/Depth"}
            - {$ref: "#/components/parameters/Columns"}
            - {$ref: "#/components/parameters/ValuesOnly"}
            - {$ref: "#/components/parameters/Replaced"}
            - {$ref: "#/components/parameters/AsOf"}
            - {$ref: "#/components/parameters/CatalogBranch"}
            - {$ref: "#/components/parameters/NamespaceQuery"}
            - {$ref: "#/components/parameters/Since"}
            - {$ref: "#/components/parameters/Until"}
            - {$ref: "#/components/parameters/LineageFormat"}
          responses:
            "200": {$ref: "#/components/responses/Lineage"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
      /varve/v1/lineage/downstream:
        get:
          operationId: lineageDownstream
          tags: [lineage]
          summary: What was made of a node.
          parameters:
            - {$ref: "#/components/parameters/Node"}
            - {$ref: "#/components/parameters/Depth"}
            - {$ref: "#/components/parameters/Columns"}
            - {$ref: "#/components/parameters/ValuesOnly"}
            - {$ref: "#/components/parameters/Replaced"}
            - {$ref: "#/components/parameters/AsOf"}
            - {$ref: "#/components/parameters/CatalogBranch"}
            - {$ref: "#/components/parameters/NamespaceQuery"}
            - {$ref: "#/components/parameters/Since"}
            - {$ref: "#/components/parameters/Until"}
            - {$ref: "#/components/parameters/LineageFormat"}
          responses:
            "200": {$ref: "#/components/responses/Lineage"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
      /varve/v1/lineage/impact:
        get:
          operationId: lineageImpact
          tags: [lineage]
          summary: What a change of a node may change.
          description: |
            Columns and rows of tables that were made of it, and of views that read it or those. `direct` says whether
            values change, or only which rows there are. A view that cannot be bound and mentions what changes is a
            node with `effect: unknown` and a `reason`, and so is what was made by runs that did not trace columns.
          parameters:
            - {$ref: "#/components/parameters/Node"}
            - {$ref: "#/components/parameters/Depth"}
            - {$ref: "#/components/parameters/Columns"}
            - {$ref: "#/components/parameters/Replaced"}
            - name: jobs
              in: query
              description: Whether to say which jobs' newest runs read what changes.
              schema: {type: boolean, default: false}
            - {$ref: "#/components/parameters/AsOf"}
            - {$ref: "#/components/parameters/CatalogBranch"}
            - {$ref: "#/components/parameters/NamespaceQuery"}
            - {$ref: "#/components/parameters/Since"}
            - {$ref: "#/components/parameters/Until"}
            - {$ref: "#/components/parameters/LineageFormat"}
          responses:
            "200": {$ref: "#/components/responses/Lineage"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
      /varve/v1/lineage/path:
        get:
          operationId: lineagePath
          tags: [lineage]
          summary: The part of the graph that lies on the ways from one node to another.
          parameters:
            - name: from
              in: query
              required: true
              description: Where the ways begin; a node as the other questions take it.
              schema: {type: string}
            - name: to
              in: query
              required: true
              description: Where they end.
              schema: {type: string}
            - {$ref: "#/components/parameters/Depth"}
            - {$ref: "#/components/parameters/Columns"}
            - {$ref: "#/components/parameters/ValuesOnly"}
            - {$ref: "#/components/parameters/Replaced"}
            - {$ref: "#/components/parameters/AsOf"}
            - {$ref: "#/components/parameters/NamespaceQuery"}
            - {$ref: "#/components/parameters/LineageFormat"}
          responses:
            "200": {$ref: "#/components/responses/Lineage"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
      /varve/v1/lineage/events:
        get:
          operationId: lineageEvents
          tags: [lineage]
          summary: What commits made of what, as events of OpenLineage, oldest first.
          description: |
            One RunEvent (`COMPLETE`) for each flow of a commit, with the snapshots that it read and wrote and its
            columns' lineage. Commits of clients that do not say where their rows came from have none.
          parameters:
            - name: from
              in: query
              description: The first log position wanted; `next` of the page before.
              schema: {type: integer, format: int64, minimum: 0, default: 1}
            - {$ref: "#/components/parameters/Limit"}
          responses:
            "200":
              description: One page; `limit` counts log positions, which have any number of events.
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/LineageEvents"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
      /varve/v1/transforms/plan:
        post:
          operationId: planTransforms
          tags: [transforms]
          summary: What specs would run, in which order, as SQL; needs none of the tables.
          parameters:
            - {$ref: "#/components/parameters/NamespaceQuery"}
          requestBody:
            required: true
            description: |
              One spec (Formats/transform-spec), or several as `{"specs": [...]}`.
            content:
              application/yaml:
                schema: {type: string}
              application/json:
                schema:
                  anyOf:
                    - {$ref: "#/components/schemas/Specs"}
                    - {type: object, description: One spec., required: [name]}
          responses:
            "200":
              description: The plans, each behind those that it reads from.
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/Plans"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
            "415": {$ref: "#/components/responses/UnsupportedMediaType"}
            "422": {$ref: "#/components/responses/Unprocessable"}
      /varve/v1/transforms/run:
        post:
          operationId: runTransforms
          tags: [transforms]
          summary: Run specs, each in one commit, those that others read first.
          description: |
            The first that fails ends it; the error's `runs` tells of those before it, which are done. Runs take no
            `Idempotency-Key`.
          parameters:
            - {$ref: "#/components/parameters/NamespaceQuery"}
          requestBody:
            required: true
            description: |
              One spec (Formats/transform-spec), or several as `{"specs": [...]}`.
            content:
              application/yaml:
                schema: {type: string}
              application/json:
                schema:
                  anyOf:
                    - {$ref: "#/components/schemas/Specs"}
                    - {type: object, description: One spec., required: [name]}
          responses:
            "200":
              description: What the runs did.
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/Runs"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
            "406": {$ref: "#/components/responses/NotAcceptable"}
            "409": {$ref: "#/components/responses/Conflict"}
            "415": {$ref: "#/components/responses/UnsupportedMediaType"}
            "422": {$ref: "#/components/responses/Unprocessable"}
            "429": {$ref: "#/components/responses/Busy"}
            "500": {$ref: "#/components/responses/Unknown"}
            "504": {$ref: "#/components/responses/TimedOut"}
      /varve/v1/runs/{id}:
        get:
          operationId: run
          tags: [transforms]
          summary: What the log says of a run of a transform, a statement or an import.
          parameters:
            - name: id
              in: path
              required: true
              description: The run's id, as `run_id` of a run or of lineage.
              schema: {type: string}
          responses:
            "200":
              description: Every flow of data that carries the run's id.
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/Run"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
      /health/live:
        get:
          operationId: live
          tags: [operation]
          summary: Whether the process answers.
          security: []
          responses:
            "200":
              description: It does.
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/Status"}
      /health/ready:
        get:
          operationId: ready
          tags: [operation]
          summary: Whether the log can be read now.
          security: []
          responses:
            "200":
              description: It can.
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/Status"}
            "503": {$ref: "#/components/responses/NotReady"}
      /metrics:
        get:
          operationId: metrics
          tags: [operation]
          summary: Counters for Prometheus.
          responses:
            "200":
              description: The text exposition format.
              content:
                text/plain:
                  schema: {type: string}
            "401": {$ref: "#/components/responses/Unauthorized"}
      /openapi.yaml:
        get:
          operationId: openapi
          tags: [operation]
          summary: This document.
          security: []
          responses:
            "200":
              description: OpenAPI 3.1.
              content:
                application/yaml:
                  schema: {type: object}
      /:
        get:
          operationId: index
          tags: [operation]
          summary: What is served where, as JSON, or as HTML for browsers.
          security: []
          responses:
            "200":
              description: All routes.
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/Index"}
                text/html:
                  schema: {type: string}

    """
