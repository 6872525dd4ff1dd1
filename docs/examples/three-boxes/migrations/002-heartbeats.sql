CREATE TABLE heartbeats (
    box text PRIMARY KEY,
    beats integer NOT NULL
);
