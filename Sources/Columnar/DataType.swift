// Arrow-layout columns.
