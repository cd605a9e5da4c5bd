//! Columns of text, aligned by what a terminal shows, cleaned of everything that could steer it.

use unicode_width::UnicodeWidthStr;

use crate::core::text::clean;

/// Rows with the same number of columns; the last column is as long as it is.
#[derive(Debug)]
pub struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// Begins with a head.
    pub fn new(head: [&str; N]) -> Self {
        Self {
            rows: vec![head.map(str::to_owned)],
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| clean(&cell).into_owned()));
    }

    /// Returns the lines, each with its end.
    pub fn render(&self) -> String {
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let mut out = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths) {
                line.push_str(cell);
                line.push_str(&" ".repeat(width - cell.width() + 2));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_whatever_is_in_them() {
        let mut table = Table::new(["A", "B", "C"]);
        table.row(["漢字".to_owned(), "\u{1b}x".to_owned(), "end".to_owned()]);
        table.row(["a".to_owned(), String::new(), String::new()]);
        assert_eq!(table.render(), "A     B    C\n漢字  ^[x  end\na\n");
    }
}
