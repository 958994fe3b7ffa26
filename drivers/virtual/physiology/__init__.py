"""One body: what every virtual instrument looks at, each with its own sensor."""
