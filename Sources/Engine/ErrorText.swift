import Planner
import SQL

/// The text of an error that knows its place in a statement's text, with the line and carets; nil for
/// any other error.
package func excerptedText(of error: any Error, in text: String) -> String? {
    switch error {
    case let error as SQLError: error.rendered(in: text)
    case let error as PlanError: error.rendered(in: text)
    default: nil
    }
}
