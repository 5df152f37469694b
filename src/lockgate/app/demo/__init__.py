"""What ``lockgate demo`` shows, and the upstream of our own that it shows it with."""
