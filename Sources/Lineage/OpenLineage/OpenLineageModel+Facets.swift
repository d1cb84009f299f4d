import Bytes

extension OpenLineageModel {
    /// The facets of a job or dataset, each as the latest event that had it.
    struct TimedFacets: Sendable {
        /// Nil for one that was taken away.
        private var facets: [String: (micros: Int64, view: JSONView?)] = [:]

        mutating func apply(_ given: OpenLineageFacets, _ micros: Int64, without: String? = nil) {
            for member in given.kept where member.key != without {
                set(member.key, member.value, micros)
            }
            for name in given.deleted { set(name, nil, micros) }
        }

        private mutating func set(_ name: String, _ view: JSONView?, _ micros: Int64) {
            guard let place = facets.index(forKey: name) else {
                facets[name] = (micros, view?.detached)
                return
            }
            let known = facets.values[place]
            if known.micros > micros { return }
            facets.values[place].micros = micros
            // Most events say what those before them said.
            if let view, let old = known.view, old.isWritten(as: view) { return }
            facets.values[place].view = view?.detached
        }

        mutating func merge(_ other: TimedFacets) {
            for (name, facet) in other.facets { set(name, facet.view, facet.micros) }
        }

        subscript(name: String) -> JSON? { facets[name]?.view?.json }

        var object: JSONObject {
            var object = JSONObject()
            for (name, facet) in facets.sorted(by: { $0.key < $1.key }) {
                if let view = facet.view { object[name] = view.json }
            }
            return object
        }
    }
}
