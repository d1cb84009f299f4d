/// What `/openapi.yaml` says of events of OpenLineage and of what they say.
let openAPIEventPaths = """
      /api/v1/lineage:
        post:
          operationId: postLineageEvent
          tags: [openlineage]
          summary: Take one event of OpenLineage.
          description: |
            A RunEvent, DatasetEvent or JobEvent of OpenLineage 2-0-2, for which the body may be compressed
            (`Content-Encoding: gzip` or `zstd`). It is in the store when the answer comes. The same event again
            changes nothing, so that after any failure it may be sent again.
          requestBody:
            required: true
            content:
              application/json:
                schema: {$ref: "#/components/schemas/LineageEvent"}
          responses:
            "201": {description: "The event is in the log, since now or since before."}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "413": {$ref: "#/components/responses/TooLarge"}
            "415": {$ref: "#/components/responses/UnsupportedMediaType"}
        get:
          operationId: lineageGraph
          tags: [openlineage]
          summary: What is connected with a dataset or job.
          parameters:
            - name: nodeId
              in: query
              required: true
              description: "dataset:NAMESPACE:NAME, also with #VERSION, or job:NAMESPACE:NAME."
              schema: {type: string}
            - name: depth
              in: query
              description: "How many jobs away."
              schema: {type: integer, minimum: 0, maximum: 10000, default: 20}
          responses:
            "200":
              description: As Marquez answers.
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/MarquezGraph"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
      /api/v1/lineage/batch:
        post:
          operationId: postLineageEvents
          tags: [openlineage]
          summary: Take events of OpenLineage, each by itself.
          requestBody:
            required: true
            content:
              application/json:
                schema: {type: array, maxItems: 100000, items: {$ref: "#/components/schemas/LineageEvent"}}
          responses:
            "204": {description: All events are in the log.}
            "200":
              description: Some are not, for the reasons given.
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/BatchSummary"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "413": {$ref: "#/components/responses/TooLarge"}
            "415": {$ref: "#/components/responses/UnsupportedMediaType"}
      /api/v1/column-lineage:
        get:
          operationId: columnLineageGraph
          tags: [openlineage]
          summary: What columns were made from, and what was made from them.
          parameters:
            - name: nodeId
              in: query
              required: true
              description: "datasetField:NAMESPACE:NAME:FIELD, a dataset, or a job for all that it writes."
              schema: {type: string}
            - {name: depth, in: query, schema: {type: integer, minimum: 0, maximum: 10000, default: 20}}
            - {name: withDownstream, in: query, schema: {type: boolean, default: false}}
          responses:
            "200":
              description: As Marquez answers.
              content:
                application/json:
                  schema: {$ref: "#/components/schemas/MarquezGraph"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
      /api/v1/namespaces:
        get:
          operationId: namespaces
          tags: [openlineage]
          summary: Namespaces of jobs and datasets.
          parameters:
            - {$ref: "#/components/parameters/EventLimit"}
            - {$ref: "#/components/parameters/EventOffset"}
          responses:
            "200":
              description: As Marquez answers.
              content:
                application/json:
                  schema:
                    type: object
                    required: [namespaces, totalCount]
                    properties:
                      namespaces: {type: array, items: {type: object}}
                      totalCount: {type: integer}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
      /api/v1/namespaces/{namespace}:
        get:
          operationId: namespace
          tags: [openlineage]
          summary: One namespace.
          parameters:
            - {$ref: "#/components/parameters/EventNamespace"}
          responses:
            "200": {$ref: "#/components/responses/MarquezObject"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
      /api/v1/namespaces/{namespace}/datasets:
        get:
          operationId: datasets
          tags: [openlineage]
          summary: The datasets that have a name in a namespace.
          parameters:
            - {$ref: "#/components/parameters/EventNamespace"}
            - {$ref: "#/components/parameters/EventLimit"}
            - {$ref: "#/components/parameters/EventOffset"}
          responses:
            "200":
              description: As Marquez answers.
              content:
                application/json:
                  schema:
                    type: object
                    required: [datasets, totalCount]
                    properties:
                      datasets: {type: array, items: {type: object}}
                      totalCount: {type: integer}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
      /api/v1/namespaces/{namespace}/datasets/{dataset}:
        get:
          operationId: dataset
          tags: [openlineage]
          summary: A dataset, by any of its names.
          parameters:
            - {$ref: "#/components/parameters/EventNamespace"}
            - {$ref: "#/components/parameters/EventDataset"}
          responses:
            "200": {$ref: "#/components/responses/MarquezObject"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
      /api/v1/namespaces/{namespace}/datasets/{dataset}/versions:
        get:
          operationId: datasetVersions
          tags: [openlineage]
          summary: The versions of a dataset, newest first.
          parameters:
            - {$ref: "#/components/parameters/EventNamespace"}
            - {$ref: "#/components/parameters/EventDataset"}
            - {$ref: "#/components/parameters/EventLimit"}
            - {$ref: "#/components/parameters/EventOffset"}
          responses:
            "200":
              description: As Marquez answers.
              content:
                application/json:
                  schema:
                    type: object
                    required: [versions, totalCount]
                    properties:
                      versions: {type: array, items: {type: object}}
                      totalCount: {type: integer}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
      /api/v1/namespaces/{namespace}/datasets/{dataset}/versions/{version}:
        get:
          operationId: datasetVersion
          tags: [openlineage]
          summary: A version of a dataset.
          description: Called after an Iceberg snapshot, what the facet `version` says, or the run that wrote it.
          parameters:
            - {$ref: "#/components/parameters/EventNamespace"}
            - {$ref: "#/components/parameters/EventDataset"}
            - {name: version, in: path, required: true, schema: {type: string, minLength: 1}}
          responses:
            "200": {$ref: "#/components/responses/MarquezObject"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
      /api/v1/jobs:
        get:
          operationId: jobs
          tags: [openlineage]
          summary: All jobs.
          parameters:
            - {$ref: "#/components/parameters/LastRunStates"}
            - {$ref: "#/components/parameters/EventLimit"}
            - {$ref: "#/components/parameters/EventOffset"}
          responses:
            "200": {$ref: "#/components/responses/MarquezJobs"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
      /api/v1/namespaces/{namespace}/jobs:
        get:
          operationId: namespaceJobs
          tags: [openlineage]
          summary: The jobs of a namespace.
          parameters:
            - {$ref: "#/components/parameters/EventNamespace"}
            - {$ref: "#/components/parameters/LastRunStates"}
            - {$ref: "#/components/parameters/EventLimit"}
            - {$ref: "#/components/parameters/EventOffset"}
          responses:
            "200": {$ref: "#/components/responses/MarquezJobs"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
      /api/v1/namespaces/{namespace}/jobs/{job}:
        get:
          operationId: job
          tags: [openlineage]
          summary: A job with its latest runs.
          parameters:
            - {$ref: "#/components/parameters/EventNamespace"}
            - {$ref: "#/components/parameters/EventJob"}
          responses:
            "200": {$ref: "#/components/responses/MarquezObject"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
      /api/v1/namespaces/{namespace}/jobs/{job}/runs:
        get:
          operationId: jobRuns
          tags: [openlineage]
          summary: The runs of a job, newest first.
          parameters:
            - {$ref: "#/components/parameters/EventNamespace"}
            - {$ref: "#/components/parameters/EventJob"}
            - {$ref: "#/components/parameters/EventLimit"}
            - {$ref: "#/components/parameters/EventOffset"}
          responses:
            "200":
              description: As Marquez answers.
              content:
                application/json:
                  schema:
                    type: object
                    required: [runs, totalCount]
                    properties:
                      runs: {type: array, items: {type: object}}
                      totalCount: {type: integer}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
      /api/v1/jobs/runs/{id}:
        get:
          operationId: jobRun
          tags: [openlineage]
          summary: A run.
          parameters:
            - {$ref: "#/components/parameters/EventRun"}
          responses:
            "200": {$ref: "#/components/responses/MarquezObject"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
      /api/v1/jobs/runs/{id}/facets:
        get:
          operationId: runFacets
          tags: [openlineage]
          summary: The facets of a run, or of its job as the run's events had them.
          parameters:
            - {$ref: "#/components/parameters/EventRun"}
            - {name: type, in: query, schema: {type: string, enum: [run, job], default: run}}
          responses:
            "200": {$ref: "#/components/responses/MarquezObject"}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
            "404": {$ref: "#/components/responses/NotFound"}
      /api/v1/search:
        get:
          operationId: search
          tags: [openlineage]
          summary: Jobs and datasets whose name contains a text.
          parameters:
            - {name: q, in: query, required: true, schema: {type: string, minLength: 1}}
            - {name: filter, in: query, schema: {type: string, enum: [JOB, DATASET]}}
            - {name: sort, in: query, schema: {type: string, enum: [NAME, UPDATE_AT], default: NAME}}
            - {name: limit, in: query, schema: {type: integer, minimum: 0, maximum: 10000, default: 10}}
            - {name: namespace, in: query, schema: {type: string}}
            - {name: before, in: query, description: "A day or a time.", schema: {type: string}}
            - {name: after, in: query, schema: {type: string}}
          responses:
            "200":
              description: As Marquez answers.
              content:
                application/json:
                  schema:
                    type: object
                    required: [results, totalCount]
                    properties:
                      results: {type: array, items: {type: object}}
                      totalCount: {type: integer}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}
      /api/v1/events/lineage:
        get:
          operationId: runEvents
          tags: [openlineage]
          summary: The events of runs as they were sent, by their times.
          parameters:
            - name: after
              in: query
              description: "Only events of this time or later."
              schema: {type: string}
            - {name: before, in: query, description: "Only earlier events.", schema: {type: string}}
            - {name: sortDirection, in: query, schema: {type: string, enum: [asc, desc], default: desc}}
            - {$ref: "#/components/parameters/EventLimit"}
            - {$ref: "#/components/parameters/EventOffset"}
          responses:
            "200":
              description: As Marquez answers.
              content:
                application/json:
                  schema:
                    type: object
                    required: [events, totalCount]
                    properties:
                      events: {type: array, items: {type: object}}
                      totalCount: {type: integer}
            "400": {$ref: "#/components/responses/BadRequest"}
            "401": {$ref: "#/components/responses/Unauthorized"}

    """
