import Columnar

extension LeafWriter {
    func plainStatistics() -> BoundsAndCounts {
        if leaf.type.physical == .view {
            return PageStatistics.ofBytes(
                values.bytes,
                fixedLength: leaf.physical == .byteArray ? nil : leaf.typeLength
            )
        }
        return PageStatistics.ofNumbers(values.bytes, count: pageValues, type: leaf.type)
    }

    /// The statistics of a page of codes: of those values that occur in it.
    func codedStatistics() -> BoundsAndCounts {
        let codePlaces = codes.base.assumingMemoryBound(to: UInt32.self)
        var isUsed = [Bool](repeating: false, count: entryCount)
        isUsed.withUnsafeMutableBufferPointer { isUsed in
            for index in 0..<pageValues { isUsed[Int(codePlaces[index])] = true }
        }
        scratch.truncate(to: 0)
        switch dictionary {
        case .numbers(let numbers):
            var count = 0
            var nanCodes: Set<UInt32> = []
            for code in 0..<numbers.count where isUsed[code] {
                let key = numbers.keys[code]
                if width == 4 {
                    scratch.extend(4).storeBytes(
                        of: UInt32(truncatingIfNeeded: key),
                        as: UInt32.self
                    )
                } else {
                    scratch.extend(8).storeBytes(of: key, as: UInt64.self)
                }
                let isNaN =
                    leaf.type == .float32
                    ? Float(bitPattern: UInt32(truncatingIfNeeded: key)).isNaN
                    : leaf.type == .float64 && Double(bitPattern: key).isNaN
                if isNaN { nanCodes.insert(UInt32(code)) }
                count += 1
            }
            var result = PageStatistics.ofNumbers(scratch.bytes, count: count, type: leaf.type)
            result.nanCount = 0
            if !nanCodes.isEmpty {
                for index in 0..<pageValues where nanCodes.contains(codePlaces[index]) {
                    result.nanCount += 1
                }
            }
            return result
        case .wide(let numbers):
            var count = 0
            for code in 0..<numbers.count where isUsed[code] {
                scratch.extend(16).storeBytes(of: numbers.keys[code], as: UInt128.self)
                count += 1
            }
            return PageStatistics.ofNumbers(scratch.bytes, count: count, type: leaf.type)
        case .bytes(let bytes):
            var bounds = ByteBounds()
            for code in 0..<bytes.places.count where isUsed[code] {
                let place = bytes.places[code]
                bounds.add(bytes.content.base + Int(place.offset), Int(place.length))
            }
            return bounds.statistics
        case nil: return BoundsAndCounts()
        }
    }

    func statistics(of counts: BoundsAndCounts) -> ParquetStatistics {
        var result = ParquetStatistics()
        result.nullCount = counts.nullCount
        if let (bytes, isExact) = lower(counts.min) {
            (result.min, result.isMinExact) = (bytes, isExact)
        }
        if let (bytes, isExact) = upper(counts.max) {
            (result.max, result.isMaxExact) = (bytes, isExact)
        }
        return result
    }

    /// A lower bound as statistics have it, cut where that is allowed: readers rely on values of
    /// fixed length having it.
    private func lower(_ bound: Bound?) -> ([UInt8], isExact: Bool)? {
        guard let encoded = bound?.encoded(leaf) else { return nil }
        guard leaf.physical == .byteArray else { return (encoded, true) }
        let cut = BoundCutting.lower(
            encoded,
            options.boundByteCountMax,
            isText: leaf.type == .string
        )
        return (cut, cut.count == encoded.count)
    }

    private func upper(_ bound: Bound?) -> ([UInt8], isExact: Bool)? {
        guard let encoded = bound?.encoded(leaf) else { return nil }
        guard leaf.physical == .byteArray, encoded.count > options.boundByteCountMax else {
            return (encoded, true)
        }
        let cut = BoundCutting.upper(
            encoded,
            options.boundByteCountMax,
            isText: leaf.type == .string
        )
        return cut.map { ($0, false) }
    }

    /// The column index of a chunk; nil when some page has values but no bounds.
    func columnIndex(_ pages: [WrittenPage]) -> ColumnIndex? {
        var minValues: [[UInt8]] = []
        var maxValues: [[UInt8]] = []
        var areNullPages: [Bool] = []
        var (ascends, descends) = (true, true)
        var previous: (min: Bound, max: Bound)?
        for page in pages {
            let statistics = page.statistics
            let isNull = statistics.nullCount == statistics.valueCount
            areNullPages.append(isNull)
            if isNull {
                minValues.append([])
                maxValues.append([])
                continue
            }
            guard let min = statistics.min, let max = statistics.max,
                let low = lower(min), let high = upper(max)
            else { return nil }
            minValues.append(low.0)
            maxValues.append(high.0)
            if let previous {
                if min.precedes(previous.min) || max.precedes(previous.max) { ascends = false }
                if previous.min.precedes(min) || previous.max.precedes(max) { descends = false }
            }
            previous = (min, max)
        }
        return ColumnIndex(
            areNullPages: areNullPages,
            minValues: minValues,
            maxValues: maxValues,
            boundaryOrder: ascends ? 1 : (descends ? 2 : 0),
            nullCounts: pages.map(\.statistics.nullCount)
        )
    }
}
