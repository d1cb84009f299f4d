// Which jobs read what a change reaches: those that have to be looked at before it is made. Told only to who asks, for
// the newest run of a job is found by looking at runs from the newest back, 56 bytes each.

extension LineageAnswer {
    /// A job whose newest run made something in the answer of something in it.
    package struct Job: Sendable, Hashable {
        /// `job:NAME`, as a question names it.
        package var name: String
        /// Its newest run, which tells the version too.
        package var run: Run
        /// Steps from the node asked about to the nearest of what it wrote.
        package var depth: Int
        /// Whether values flow through it from the node asked about.
        package var isDirect: Bool
        /// Why nobody knows whether they do.
        package var unknownReason: String?
        /// Of what the answer has, what the run read and what it wrote, ascending.
        package var inputs: [String]
        package var outputs: [String]
    }
}

extension IndexStorage {
    /// The jobs of a part whose newest run reads one of its nodes and makes another of it; nearest first, then by name.
    ///
    /// - Parameter commitCount: later runs are not looked at.
    func jobs(of part: AnswerPart, before commitCount: UInt32) -> [LineageAnswer.Job] {
        var places: [NodeKey: Int] = [:]
        var datasets: Set<UInt32> = []
        for (place, node) in part.nodes.enumerated() where node.key != .subject {
            places[node.key] = place
            datasets.insert(node.key.dataset)
        }
        var describer = Describer(commitCount)
        var found: [LineageAnswer.Job] = []
        for run in newestRuns(ofJobsOf: part, before: commitCount) {
            var job = JobLinks()
            var flow = lastFlow(ofRun: runs[run].runID)
            while flow != none {
                let record = runs[flow]
                if record.commit < commitCount, isSameJob(record.job, runs[run].job),
                    datasets.contains(record.output)
                {
                    link(record, part, places, &job)
                }
                flow = record.earlierOfRun
            }
            guard !job.outputs.isEmpty else { continue }
            let described = describe(run: run)
            found.append(
                LineageAnswer.Job(
                    name: "job:\(described.jobName)",
                    run: described,
                    depth: job.depth,
                    isDirect: job.isDirect,
                    unknownReason: job.mayBeDirect && !job.isDirect
                        ? LineageAnswer.untracedReason : nil,
                    inputs: names(job.inputs, &describer),
                    outputs: names(job.outputs, &describer)
                )
            )
        }
        return found.sorted { a, b in
            if a.depth != b.depth { return a.depth < b.depth }
            if a.name != b.name { return bytesPrecede(a.name, b.name) }
            return bytesPrecede(a.run.jobKind, b.run.jobKind)
        }
    }

    private func names(_ datasets: Set<UInt32>, _ describer: inout Describer) -> [String] {
        var names: [String] = []
        for dataset in datasets { names.append(describer.describe(.whole(dataset), 0, self).name) }
        return names.sorted(by: bytesPrecede)
    }

    private struct JobLinks {
        var inputs: Set<UInt32> = []
        var outputs: Set<UInt32> = []
        var depth = Int.max
        var isDirect = false
        var mayBeDirect = false

        mutating func note(_ input: UInt32, _ output: UInt32, _ depth: Int) {
            inputs.insert(input)
            outputs.insert(output)
            self.depth = min(self.depth, depth)
        }
    }

    private func isSameJob(_ a: UInt32, _ b: UInt32) -> Bool {
        jobs[a].kind == jobs[b].kind && jobs[a].name == jobs[b].name
    }

    /// The newest run of each job that has an edge in a part, whatever its version.
    private func newestRuns(ofJobsOf part: AnswerPart, before commitCount: UInt32) -> [UInt32] {
        var wanted: Set<UInt64> = []
        for edge in part.edges where edge.job != none { wanted.insert(jobKey(edge.job)) }
        guard !wanted.isEmpty else { return [] }
        // Jobs by their numbers, so that most runs are passed over by looking at a byte.
        let keys = (0..<UInt32(jobs.count)).map { jobKey($0) }
        var isWanted = keys.map { wanted.contains($0) }
        let versions = Dictionary(grouping: keys.indices.filter { isWanted[$0] }) { keys[$0] }
        return runs.withElements(0..<Int(firstRun(from: commitCount))) { runs in
            var found: [UInt32] = []
            for number in runs.indices.reversed() where isWanted[Int(runs[number].job)] {
                found.append(UInt32(number))
                for job in versions[keys[Int(runs[number].job)]] ?? [] { isWanted[job] = false }
                if found.count == wanted.count { break }
            }
            return found
        }
    }

    /// What all versions of a job have in common.
    private func jobKey(_ job: UInt32) -> UInt64 {
        UInt64(jobs[job].kind) << 32 | UInt64(jobs[job].name)
    }

    /// Notes what a flow makes of nodes of a part.
    private func link(
        _ run: RunRecord,
        _ part: AnswerPart,
        _ places: [NodeKey: Int],
        _ job: inout JobLinks
    ) {
        func note(_ input: UInt32, _ from: NodeKey, _ to: NodeKey, _ attributes: EdgeAttributes) {
            guard let near = places[from], let far = places[to] else { return }
            job.note(input, run.output, part.nodes[far].depth)
            if attributes.isDirect, part.isDirect[near], part.isDirect[far] { job.isDirect = true }
            if !attributes.isIndirect, part.mayBeDirect[near], part.mayBeDirect[far] {
                job.mayBeDirect = true
            }
        }
        for place in 0..<run.inputCount {
            let input = inputs[run.firstInput + place].dataset
            note(input, .rows(input), .rows(run.output), .indirect)
            guard run.map != none else {
                // Whatever of it is in the answer.
                for column in 0..<datasets[input].columnCount {
                    note(input, NodeKey(input, column), .whole(run.output), .untraced)
                }
                note(input, .rows(input), .whole(run.output), .untraced)
                note(input, .whole(input), .whole(run.output), .untraced)
                continue
            }
            note(input, .whole(input), .whole(run.output), wholeAttributes(run, place))
            let map = maps[run.map]
            for source in map.firstSource..<map.firstSource + map.sourceCount
            where sources[source].input == place {
                let column = sources[source].column
                guard places[NodeKey(input, column)] != nil,
                    let range = targetRange(input: place, column: column, of: map)
                else { continue }
                for target in range {
                    let (to, attributes) = (targets[target].column, targets[target].attributes)
                    note(input, NodeKey(input, column), NodeKey(run.output, to), attributes)
                }
            }
        }
    }
}
