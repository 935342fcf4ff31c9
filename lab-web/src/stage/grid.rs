//! Rows and columns of equal rectangles.

use super::Rect;

/// So many things in rows, none longer than it must be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    count: usize,
    columns: usize,
    gap: f64,
    left: f64,
    width: f64,
    height: f64,
}

impl Grid {
    /// With at most so many in a row: as few rows as that takes, and then as few columns.
    pub(super) fn new(count: usize, columns_max: usize, gap: f64) -> Self {
        let rows = count.div_ceil(columns_max.max(1)).max(1);
        Self { count, columns: count.div_ceil(rows).max(1), gap, left: 0.0, width: 0.0, height: 0.0 }
    }

    /// As wide as the rows may be between the left edge and so far to its right, but no wider than `width_max`. Beside
    /// several rows stays a gutter on the left, for the lines that lead past a row.
    pub(super) fn within(mut self, (left, room): (f64, f64), width_max: f64, height: f64) -> Self {
        let gutter = if self.columns < self.count { 12.0 } else { 0.0 };
        let gaps = self.gap * (self.columns as f64 - 1.0);
        self.left = left + gutter;
        self.width = ((room - gutter - gaps) / self.columns as f64).min(width_max);
        self.height = height;
        self
    }

    /// Each of that size.
    pub(super) fn with(self, width: f64, height: f64) -> Self {
        Self { width, height, ..self }
    }

    /// The rectangles, row by row.
    pub(super) fn rects(&self, top: f64) -> Vec<Rect> {
        self.rects_from(self.left, top)
    }

    /// The rectangles, row by row, from another left edge.
    pub(super) fn rects_from(&self, left: f64, top: f64) -> Vec<Rect> {
        let rect = |place: usize| {
            let (row, column) = (place / self.columns, place % self.columns);
            let x = left + (self.width + self.gap) * column as f64;
            // Lines run between rows.
            let y = top + (self.height + self.gap.max(ROW_GAP)) * row as f64;
            Rect::new(x, y, self.width, self.height)
        };
        (0..self.count).map(rect).collect()
    }
}

/// Between two rows there is room for a line.
const ROW_GAP: f64 = 8.0;
