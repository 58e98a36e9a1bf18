//! Configuration: typed, validated, with secrets redacted.
