/// A time as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
///
/// - Spec: RFC 9110, section 5.6.7.
func httpDate(micros: Int64) -> String {
    let time = CalendarTime(micros: micros)
    let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    // 1970-01-01 was a Thursday.
    let weekday = days[Int((time.dayNumber % 7 + 7) % 7)]
    return "\(weekday), \(two(time.day)) \(months[time.month - 1]) \(time.year) "
        + "\(two(time.hour)):\(two(time.minute)):\(two(time.second)) GMT"
}

/// A time as logs write it: `2024-05-01T12:30:00.123Z`.
func isoTime(micros: Int64) -> String {
    let time = CalendarTime(micros: micros)
    let millis = String(1000 + time.micros / 1000).dropFirst()
    return "\(time.year)-\(two(time.month))-\(two(time.day))T"
        + "\(two(time.hour)):\(two(time.minute)):\(two(time.second)).\(millis)Z"
}

private func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

/// A time in parts, in UTC.
private struct CalendarTime {
    var dayNumber: Int64
    var year: Int
    var month: Int
    var day: Int
    var hour: Int
    var minute: Int
    var second: Int
    var micros: Int

    init(micros: Int64) {
        let dayMicros: Int64 = 86_400_000_000
        var rest = micros % dayMicros
        dayNumber = micros / dayMicros
        if rest < 0 {
            rest += dayMicros
            dayNumber -= 1
        }
        self.micros = Int(rest % 1_000_000)
        let seconds = Int(rest / 1_000_000)
        (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60)
        // Years that begin in March have their leap day at the end, so months have fixed places.
        let shifted = dayNumber + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthPlace = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * monthPlace + 2) / 5) + 1
        month = Int(monthPlace < 10 ? monthPlace + 3 : monthPlace - 9)
        year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
    }
}
