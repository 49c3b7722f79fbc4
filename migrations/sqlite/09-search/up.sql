-- Which words are in which message, beside the message log instead of in its way.
--
-- The index is written behind the message log, while the server is idle. It has all messages up to
-- and including the id in the row of `meta` whose name begins with `search_upto`. The messages after
-- it are searched in the message log itself. So this step copies nothing, and the server indexes an
-- old message log in small steps. All of it can be derived from the message log (`chat-server check
-- --rebuild`).
--
-- The server splits a text into folded words, so the tokenizer only splits at spaces. Beside words
-- there are tokens for the sender (`from:2`), the mailbox (`to:3`, or `in:4` for a room) and tags.
-- The index stores no text and no places in it: it proposes messages, and the server compares them.
CREATE VIRTUAL TABLE search USING fts5 (
    words, content = '', columnsize = 0, detail = none, tokenize = "ascii tokenchars ':'"
);

-- A deleted message leaves no word behind.
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);

-- Each token, and the message that has it, for `chat-server check`.
CREATE VIRTUAL TABLE search_tokens USING fts5vocab (search, instance);
