//! Inserting many rows with few statements, because starting a statement costs more than a row.

use arrayvec::ArrayVec;
use rusqlite::{CachedStatement, Connection, ToSql};

/// The numbers of rows for which there are statements, largest first.
const ROWS: [usize; 4] = [ROWS_MAX, 8, 2, 1];
/// The maximum number of rows of one statement.
pub(in crate::store) const ROWS_MAX: usize = 32;

/// An insertion into one table.
pub(in crate::store) struct BulkInsert {
    /// The statement without its values: `INSERT INTO deliveries (run, user_id, message_id)`.
    pub into: &'static str,
    /// The number of values in a row.
    pub columns: usize,
}

impl BulkInsert {
    /// Inserts the rows in order. `bind` binds the values of one row. After an error, some of the
    /// rows may have been inserted.
    pub(in crate::store) fn insert<T>(
        &self,
        connection: &Connection,
        rows: impl IntoIterator<Item = T>,
        mut bind: impl FnMut(&mut Values<'_, '_>, &T) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let mut statements = [const { None }; ROWS.len()];
        let mut rows = rows.into_iter();
        loop {
            let next: ArrayVec<T, ROWS_MAX> = rows.by_ref().take(ROWS_MAX).collect();
            let mut rest = &next[..];
            for (rows, statement) in ROWS.into_iter().zip(&mut statements) {
                while let Some((now, later)) = rest.split_at_checked(rows) {
                    let statement = match statement {
                        Some(statement) => statement,
                        None => statement.insert(self.prepare(connection, rows)?),
                    };
                    let mut values = Values { statement, bound: 0 };
                    now.iter().try_for_each(|row| bind(&mut values, row))?;
                    statement.raw_execute()?;
                    rest = later;
                }
            }
            if !next.is_full() {
                return Ok(());
            }
        }
    }

    fn prepare<'a>(
        &self,
        connection: &'a Connection,
        rows: usize,
    ) -> rusqlite::Result<CachedStatement<'a>> {
        // Every value and every row has a comma before it, except the first ones.
        let row = format!(", ({})", &", ?".repeat(self.columns)[2..]);
        connection.prepare_cached(&format!("{} VALUES{}", self.into, &row.repeat(rows)[1..]))
    }
}

/// The values of a statement.
pub(in crate::store) struct Values<'s, 'c> {
    statement: &'s mut CachedStatement<'c>,
    bound: usize,
}

impl Values<'_, '_> {
    /// Binds the next value.
    pub(in crate::store) fn bind(&mut self, value: impl ToSql) -> rusqlite::Result<()> {
        self.bound += 1;
        self.statement.raw_bind_parameter(self.bound, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_any_number_are_inserted_in_order() {
        const NUMBERS: BulkInsert =
            BulkInsert { into: "INSERT INTO numbers (number, text)", columns: 2 };
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE numbers (number, text)").unwrap();
        for count in [0, 1, 2, 3, 7, 8, 31, 32, 33, 75] {
            connection.execute("DELETE FROM numbers", []).unwrap();
            let bind = |values: &mut Values<'_, '_>, number: &i64| {
                values.bind(number)?;
                values.bind(number.to_string())
            };
            NUMBERS.insert(&connection, 0..count, bind).unwrap();
            let mut select =
                connection.prepare("SELECT number, text FROM numbers ORDER BY rowid").unwrap();
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            let rows: Vec<(i64, String)> = rows.map(Result::unwrap).collect();
            let expected = (0..count).map(|number| (number, number.to_string()));
            assert!(expected.eq(rows), "{count} rows");
        }
    }
}
