//! What depends on the order of scores alone: areas under the ROC and precision–recall curves.

/// Rows in descending order of score, cut into runs of equal scores.
pub(super) struct Ranking {
    order: Vec<u32>,
    /// Where each run ends in `order`.
    ends: Vec<u32>,
}

/// Weights of positives and negatives.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub positive: f64,
    pub negative: f64,
}

impl Ranking {
    /// Ranks rows by their scores, which are numbers.
    pub fn new(scores: &[f64]) -> Self {
        let mut order: Vec<u32> = (0..scores.len() as u32).collect();
        order.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]));
        let differs = |position: &usize| {
            position + 1 == order.len() || scores[order[*position] as usize] != scores[order[position + 1] as usize]
        };
        let ends = (0..order.len()).filter(differs).map(|position| position as u32 + 1).collect();
        Self { order, ends }
    }

    /// The runs of equal scores, highest first.
    pub fn runs(&self) -> impl Iterator<Item = &[u32]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.order[start as usize..*end as usize])
    }

    /// The weight of each class in each run, highest score first.
    pub fn tallies(&self, positive: impl Fn(usize) -> bool, weights: &[f64]) -> impl Iterator<Item = Tally> {
        self.runs().map(move |run| {
            run.iter().fold(Tally::default(), |mut tally, &row| {
                let row = row as usize;
                if positive(row) {
                    tally.positive += weights[row];
                } else {
                    tally.negative += weights[row];
                }
                tally
            })
        })
    }

    /// Area under the ROC curve: the share of pairs of a positive and a negative that are in order, ties counting half.
    /// None with a single class.
    pub fn roc_auc(&self, positive: impl Fn(usize) -> bool, weights: &[f64]) -> Option<f64> {
        let (mut above, mut ordered, mut negatives) = (0.0, 0.0, 0.0);
        for tally in self.tallies(positive, weights) {
            ordered += tally.negative * (above + tally.positive / 2.0);
            above += tally.positive;
            negatives += tally.negative;
        }
        super::sum::share(ordered, above * negatives)
    }

    /// Average precision: Σ (Rₙ − Rₙ₋₁) Pₙ over the runs. None without positives.
    pub fn average_precision(&self, positive: impl Fn(usize) -> bool, weights: &[f64]) -> Option<f64> {
        let (mut found, mut drawn, mut total) = (0.0, 0.0, 0.0);
        for tally in self.tallies(positive, weights) {
            found += tally.positive;
            drawn += tally.positive + tally.negative;
            if tally.positive > 0.0 {
                total += tally.positive * (found / drawn);
            }
        }
        super::sum::share(total, found)
    }
}
