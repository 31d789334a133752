"""What the gate writes for machines and people: JUnit, SARIF, Markdown, JSON, one HTML page."""
