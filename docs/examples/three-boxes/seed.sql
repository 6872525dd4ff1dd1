INSERT INTO products (name, cents) VALUES
    ('tea', 350),
    ('coffee', 420),
    ('cake', 510);
