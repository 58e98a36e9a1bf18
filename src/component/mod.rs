//! One XEP-0114 component connection per domain.
