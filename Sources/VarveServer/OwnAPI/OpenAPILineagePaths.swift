/// What `/openapi.yaml` says of questions about lineage whose answers are no graph.
let openAPILineagePaths = """
      /varve/v1/lineage/runs:
        get:
          operationId: lineageRuns
          tags: [lineage]
          summary: What runs read and wrote, the newest first.
          description: |
            Of a run, of all runs of a job, or of those that read or wrote a table, a snapshot of it, or a file.
          parameters:
            - {$ref: "#/components/parameters/Node"}
            - {$ref: "#/components/parameters/Many"}
            - {$ref: "#/components/parameters/AsOf"}
            - {$ref: "#/components/parameters/NamespaceQuery"}
            - {name: format, in: query, schema: {type: string, enum: [json, ndjson], default: json}}
            - {$ref: "#/components/parameters/Since"}
            - {$ref: "#/components/parameters/Until"}
          responses:
            "200":
              description: The runs; `cut` when there are more.
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/LineageRuns"}
                application/x-ndjson:
                  schema: {type: string}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
      /varve/v1/lineage/sources:
        get:
          operationId: lineageSources
          tags: [lineage]
          summary: Which sources feed a table, and how far it is behind them.
          parameters:
            - {$ref: "#/components/parameters/Node"}
            - {$ref: "#/components/parameters/Columns"}
            - {$ref: "#/components/parameters/ValuesOnly"}
            - {$ref: "#/components/parameters/AsOf"}
            - {$ref: "#/components/parameters/NamespaceQuery"}
            - {name: format, in: query, schema: {type: string, enum: [json, ndjson], default: json}}
          responses:
            "200":
              description: The sources, the nearest first.
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/LineageSources"}
                application/x-ndjson:
                  schema: {type: string}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
      /varve/v1/lineage/paths:
        get:
          operationId: lineagePaths
          tags: [lineage]
          summary: The ways from one node to another, one by one, the shortest first.
          parameters:
            - name: from
              in: query
              required: true
              description: Where the ways begin; a table, a column or a file.
              schema: {type: string}
            - name: to
              in: query
              required: true
              description: Where they end.
              schema: {type: string}
            - {$ref: "#/components/parameters/Depth"}
            - {$ref: "#/components/parameters/Columns"}
            - {$ref: "#/components/parameters/ValuesOnly"}
            - {$ref: "#/components/parameters/Many"}
            - name: shortest
              in: query
              description: Whether only the first way is wanted.
              schema: {type: boolean, default: false}
            - {$ref: "#/components/parameters/Replaced"}
            - {$ref: "#/components/parameters/AsOf"}
            - {$ref: "#/components/parameters/NamespaceQuery"}
            - {name: format, in: query, schema: {type: string, enum: [json, ndjson], default: json}}
          responses:
            "200":
              description: The ways; `cut_because` says why there may be more.
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/LineagePaths"}
                application/x-ndjson:
                  schema: {type: string}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}

    """

/// The shapes of their answers: goes on where `openAPIComponents` ends.
let openAPILineageSchemas = """
        LineageRuns:
          type: object
          required: [question, node, position, time, complete, gaps, cut, runs]
          properties:
            question: {type: string, enum: [runs]}
            node: {type: string}
            position: {type: integer, format: int64}
            time: {type: [string, "null"]}
            complete: {type: boolean}
            gaps: {type: array, items: {type: string}}
            cut: {type: boolean, description: Whether there are more than `limit`.}
            runs:
              type: array
              items:
                allOf:
                  - {$ref: "#/components/schemas/LineageRun"}
                  - type: object
                    required: [inputs, output]
                    properties:
                      inputs: {type: array, items: {$ref: "#/components/schemas/LineageRunDataset"}}
                      output: {$ref: "#/components/schemas/LineageRunDataset"}
        LineageRun:
          type: object
          required: [run, job, commit, actor, operation, position, time]
          properties:
            run: {type: string}
            job:
              type: object
              required: [name, kind]
              properties:
                name: {type: string}
                kind: {type: string, description: "`sql`, `transform`, `import`."}
                version: {type: string}
            commit: {type: string}
            actor: {type: string}
            operation: {type: string}
            position: {type: integer, format: int64}
            time: {type: string}
        LineageRunDataset:
          type: object
          required: [name, kind]
          properties:
            name: {type: string}
            kind: {type: string, enum: [table, file]}
            uuid: {type: string}
            dropped: {type: boolean}
            snapshot: {type: string}
            type: {type: string, enum: [DIRECT, INDIRECT], description: Whether values were taken from it.}
            columns: {type: array, items: {type: string}, description: Not there when columns were not traced.}
        LineageSources:
          type: object
          required: [question, node, position, time, complete, gaps, cut, sources]
          properties:
            question: {type: string, enum: [sources]}
            node: {type: string}
            position: {type: integer, format: int64}
            time: {type: [string, "null"]}
            complete: {type: boolean}
            gaps: {type: array, items: {type: string}}
            cut: {type: boolean}
            sources:
              type: array
              items:
                type: object
                required: [name, kind, origins, depth, direct, masked]
                properties:
                  name: {type: string}
                  kind: {type: string, enum: [table, file]}
                  uuid: {type: string}
                  dropped: {type: boolean}
                  origins: {type: array, items: {type: string, enum: [file, values, unknown, empty]}}
                  depth: {type: integer}
                  direct: {type: boolean}
                  masked: {type: boolean}
                  columns: {type: array, items: {type: string}}
                  condition_columns: {type: array, items: {type: string}}
                  last_read: {$ref: "#/components/schemas/LineageRun"}
                  newest: {$ref: "#/components/schemas/LineageChange"}
                  read: {$ref: "#/components/schemas/LineageChange"}
                  first_unread: {$ref: "#/components/schemas/LineageChange"}
                  commits_behind: {type: integer}
                  millis_behind: {type: integer, format: int64}
        LineageChange:
          type: object
          required: [position, time]
          properties:
            position: {type: integer, format: int64}
            time: {type: string}
            snapshot: {type: string}
        LineagePaths:
          type: object
          required: [question, node, to, position, time, complete, gaps, cut, cut_because, nodes, edges, paths]
          properties:
            question: {type: string, enum: [paths]}
            node: {type: string}
            to: {type: string}
            position: {type: integer, format: int64}
            time: {type: [string, "null"]}
            complete: {type: boolean}
            gaps: {type: array, items: {type: string}}
            cut: {type: boolean, description: Whether there may be more ways.}
            cut_because: {type: array, items: {type: string}}
            nodes: {type: array, items: {type: object}}
            edges: {type: array, items: {type: object}}
            paths:
              type: array
              items:
                type: object
                required: [length, nodes, edges, masked]
                properties:
                  length: {type: integer}
                  nodes: {type: array, items: {type: string}}
                  edges: {type: array, items: {type: integer}, description: Places in `edges`.}
                  type: {type: string, enum: [DIRECT, INDIRECT], description: Not there when a step was not traced.}
                  subtype: {type: string}
                  masked: {type: boolean}

    """
