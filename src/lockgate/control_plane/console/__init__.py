"""Plain pages for administrators, behind a browser sign-in."""
