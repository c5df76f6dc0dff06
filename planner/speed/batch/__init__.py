"""Speed in bulk: tables of published runs in, one answer a row out (`quantplan predict serving` and its siblings)."""
