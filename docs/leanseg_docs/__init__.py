"""What the documentation takes from the code: pages, tables, pictures, and outputs that were really printed."""
