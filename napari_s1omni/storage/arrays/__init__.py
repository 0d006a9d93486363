"""Arrays that a user opened: where their pixels are stored, and copies of those that only this process has."""
