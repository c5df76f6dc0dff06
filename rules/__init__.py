"""What to try, avoid and warn about: the decision rules as data, and the small engine that reads them."""
