-- Who sent a message and whom it is for is not looked up in `users` once more when it is written.
--
-- The server knows both: it has just found the sender by its session and the recipients by their names,
-- and takes nobody out of `users` whom a message names. Having SQLite look both up again took a fifth of
-- the time that writing a message takes. `chat-server check` looks at all of them.
--
-- Nothing in the file changes but what the table is declared with, so it need not be written anew: this is
-- the way for that (https://www.sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes").

PRAGMA writable_schema = ON;

UPDATE sqlite_schema
   SET sql = replace(sql, ' REFERENCES users (id)', '')
 WHERE type = 'table' AND name = 'messages';

PRAGMA writable_schema = RESET;

-- Whoever has the file open reads its schema anew when its number has changed, and this changes it.
CREATE TABLE changed (x);
DROP TABLE changed;
