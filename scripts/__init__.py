"""What developers run by hand; nothing in the product imports it."""
