package import Catalog
package import Iceberg
import ObjectStorage
package import Tables

extension Engine {
    /// The store that a table's files are in: the warehouse's, or one of its own.
    package func tableStorage(
        of metadata: TableMetadata,
        _ catalog: WarehouseCatalog
    ) throws -> TableStorage {
        if catalog.key(of: metadata.location) != nil { return TableStorage(catalog.store) }
        return TableStorage(try openStore(url: metadata.location, options: options.store))
    }
}
