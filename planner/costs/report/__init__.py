"""A comparison of costs as files: page, PDF, spreadsheet, table, text and JSON."""
