import ArgumentParser
import Glibc
import SQL

/// A failure of the command line itself.
struct Failure: Error, CustomStringConvertible {
    var message: String
    /// 1 for what went wrong, 2 for a wrong use of the command.
    var status: Int32

    init(_ message: String) {
        self.message = message
        status = 1
    }

    init(usage message: String) {
        self.message = message
        status = 2
    }

    var description: String { message }

    /// Says on standard error what went wrong, and ends the process: 1 failed, 2 usage.
    static func exit(with error: any Error) -> Never {
        if let failure = error as? Failure {
            report(failure.message)
            Glibc.exit(failure.status)
        }
        let code = VarveCommand.exitCode(for: error)
        if code == .success || code == .validationFailure {
            // Help and version texts, and wrong options with the usage line.
            let text = VarveCommand.fullMessage(for: error)
            if code == .success {
                print(text)
                Glibc.exit(0)
            }
            writeError(text + "\n")
            Glibc.exit(2)
        }
        if error is CancellationError {
            report("cancelled")
            Glibc.exit(1)
        }
        report("\(error)")
        Glibc.exit(1)
    }

    static func report(_ message: String) {
        writeError("varve: \(message)\n")
    }
}

/// Writes to standard error, all of it.
func writeError(_ text: String) {
    writeAll(Array(text.utf8), to: 2)
}

/// Writes bytes to a descriptor, all of them; a reader that went away ends the process quietly.
func writeAll(_ bytes: [UInt8], to descriptor: Int32) {
    bytes.withUnsafeBytes { buffer in
        var start = 0
        while start < buffer.count {
            let count = write(
                descriptor,
                buffer.baseAddress.map { $0 + start },
                buffer.count - start
            )
            if count < 0 {
                if errno == EINTR { continue }
                exit(errno == EPIPE ? 0 : 1)
            }
            start += count
        }
    }
}
