mod attributions;
mod bars;
mod calibration;
mod categories;
mod confusion;
mod curves;
mod dots;
mod histogram;
mod lineage;
mod lines;
mod parallel;
mod partial_dependence;
mod quadrant;
mod residuals;
mod slice;
mod sparkline;
mod timeline;
mod tuning;

pub use attributions::{Attribution, AttributionPoint, Attributions, attributions};
pub use bars::{Bar, HorizontalBars, horizontal_bars};
pub use calibration::{Calibration, CalibrationBin, calibration};
pub use categories::{CategoryBar, CategoryBars, category_bars};
pub use confusion::{ConfusionMatrix, confusion_matrix};
pub use curves::{Curve, OperatingPoint, PrecisionRecall, Roc, precision_recall, roc};
pub use dots::{Dot, DotLimit, Dots, dots};
pub use histogram::{Histogram, ReferenceCounts, histogram};
pub use lineage::{Lineage, LineageNode, lineage};
pub use lines::{Annotation, Line, LineChart, Threshold, XAxis, line_chart, narrow_line_chart};
pub use parallel::{
    Brush, BrushRange, Coordinate, ParallelAxis, ParallelCoordinates, ParallelLine, brushed, parallel_coordinates,
};
pub use partial_dependence::{DependenceAt, DependencePoint, PartialDependence, partial_dependence};
pub use quadrant::{Quadrant, QuadrantPoint, quadrant};
pub use residuals::{Residuals, WholePart, predicted_vs_actual, residual_histogram};
pub use slice::{SettingPoint, SettingSlice, setting_slice};
pub use sparkline::{Sparkline, sparkline};
pub use timeline::{RunTimeline, Span, SpanState, run_timeline};
pub use tuning::{Direction, Trial, TrialState, TuningHistory, tuning_history};
