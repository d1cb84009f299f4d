import Ambient
import Synchronization

/// The field `Date` of answers, made once a second.
final class DateField: Sendable {
    private let made = Mutex<(second: Int64, text: String)>((Int64.min, ""))

    func text(micros: Int64) -> String {
        let second = micros / 1_000_000
        return made.withLock { made in
            if made.second != second {
                made = (second, CalendarTime(micros: micros).httpText)
            }
            return made.text
        }
    }
}
