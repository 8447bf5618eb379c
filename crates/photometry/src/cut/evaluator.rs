use super::block::{self, Logs, Register};
use super::error::CutError;
use super::exact::truth;
use super::flow::CutFlow;
use super::logmag::{self, Dereddened};
use super::plan::{MagInput, Node, Plan, Source, Value};
use super::state::{And, CHUNK, FALSE, Join, Or, TRUE, UNSURE, known, negate, put, put_all, totals};
use super::values::Values;
use super::{Cut, integer};

/// Applies a [`Cut`] to blocks of rows.
///
/// It owns its working memory: after the first block nothing is allocated, as long as the blocks do not grow and
/// the columns keep their types. Clone it for every thread.
#[derive(Debug, Clone)]
pub struct Evaluator {
    cut: Cut,
    plan: Option<Plan>,
    work: Work,
    selected: Vec<u32>,
}

/// Working memory of a chunk.
#[derive(Debug, Clone, Default)]
struct Work {
    /// One buffer per level of nesting.
    states: Vec<Vec<u32>>,
    registers: Vec<Register>,
    mags: Vec<MagChunk>,
}

/// What is known so far of a magnitude in the current chunk.
#[derive(Debug, Clone, Default)]
struct MagChunk {
    scanned: bool,
    logged: bool,
    has_bad: bool,
    /// Only when the inputs are no f32 columns.
    flux: Vec<f32>,
    transmission: Vec<f32>,
    logs: Vec<f32>,
    bad: Vec<bool>,
}

impl Evaluator {
    pub(crate) fn new(cut: Cut) -> Self {
        Self { cut, plan: None, work: Work::default(), selected: Vec::new() }
    }

    /// The cut that is applied.
    pub fn cut(&self) -> &Cut {
        &self.cut
    }

    /// The rows of a block that the cut keeps, as ascending indices from 0, and their count added to `flow`.
    ///
    /// `columns` are in the order of [`Cut::columns`], each with `rows` rows. With no rows this only checks the
    /// types.
    ///
    /// # Errors
    ///
    /// A wrong number or length of columns, a column whose type the cut cannot use, or a flow of another cut;
    /// `flow` is then as it was.
    pub fn select(
        &mut self,
        rows: usize,
        columns: &[Values<'_>],
        flow: &mut CutFlow,
    ) -> Result<&[u32], CutError> {
        self.bind(rows, columns)?;
        // `bind` has set the plan.
        let Some(plan) = &self.plan else { return Ok(&[]) };
        if flow.clauses().is_empty() {
            *flow = self.cut.flow();
        } else if !flow.clauses().iter().map(|line| &line.clause).eq(&plan.texts) {
            return Err(CutError::OtherFlow { expected: self.cut.flow().text(), found: flow.text() });
        }
        // One more than can be kept: a row that is not kept is written, too, and then overwritten.
        if self.selected.len() <= rows {
            self.selected.resize(rows + 1, 0);
        }
        let mut kept = 0;
        let mut start = 0;
        while start < rows {
            let n = CHUNK.min(rows - start);
            let chunk = Chunk { plan, columns, start, rows: n };
            let mut alive = take(&mut self.work.states, 0, n, TRUE);
            if chunk.run(&self.cut, &mut alive, &mut self.work, flow) > 0 {
                kept = indices(&alive, start, &mut self.selected, kept);
            }
            self.work.states[0] = alive;
            start += n;
        }
        Ok(&self.selected[..kept])
    }

    fn bind(&mut self, rows: usize, columns: &[Values<'_>]) -> Result<(), CutError> {
        let names = self.cut.columns();
        if columns.len() != names.len() {
            return Err(CutError::ColumnCount { expected: names.len(), found: columns.len() });
        }
        if let Some(i) = columns.iter().position(|c| c.rows() != rows) {
            let found = columns[i].rows();
            return Err(CutError::RowCount { column: names[i].clone(), expected: rows, found });
        }
        let bound =
            self.plan.as_ref().is_some_and(|p| columns.iter().map(Values::kind).eq(p.kinds.iter().copied()));
        if !bound {
            let plan = Plan::new(&self.cut, columns.iter().map(Values::kind).collect())?;
            self.work.mags.resize_with(plan.mags.len(), MagChunk::default);
            self.plan = Some(plan);
        }
        Ok(())
    }
}

/// Takes the buffer of a level out of the pool, filled with a state.
fn take(pool: &mut Vec<Vec<u32>>, level: usize, rows: usize, state: u32) -> Vec<u32> {
    if pool.len() <= level {
        pool.resize_with(level + 1, Vec::new);
    }
    let mut buffer = std::mem::take(&mut pool[level]);
    buffer.clear();
    buffer.resize(rows, state);
    buffer
}

/// Writes the rows that are true behind `kept` others; gives their new number.
fn indices(states: &[u32], start: usize, out: &mut [u32], mut kept: usize) -> usize {
    let mut write = |row: usize, state: u32| {
        out[kept] = row as u32;
        kept += (state & 1) as usize;
    };
    let (groups, rest) = states.as_chunks::<8>();
    for (group, states) in groups.iter().enumerate() {
        if states.iter().fold(0, |any, s| any | s) != 0 {
            (0..8).for_each(|i| write(start + 8 * group + i, states[i]));
        }
    }
    let end = start + 8 * groups.len();
    rest.iter().enumerate().for_each(|(i, state)| write(end + i, *state));
    kept
}

/// Some rows of a block, and the plan for them.
struct Chunk<'a> {
    plan: &'a Plan,
    columns: &'a [Values<'a>],
    start: usize,
    rows: usize,
}

impl Chunk<'_> {
    /// Leaves TRUE where all clauses hold, FALSE elsewhere; gives the number of rows kept.
    fn run(&self, cut: &Cut, alive: &mut [u32], work: &mut Work, flow: &mut CutFlow) -> u64 {
        for mag in &mut work.mags {
            (mag.scanned, mag.logged) = (false, false);
        }
        let mut given = self.rows as u64;
        let clauses = self.plan.clauses.iter().zip(&cut.inner.clauses);
        for (line, (node, condition)) in flow.clauses_mut().iter_mut().zip(clauses) {
            // The counts of the other clauses do not change.
            if given == 0 {
                break;
            }
            self.judge::<And>(node, alive, work, 1);
            let (mut sure, unsure) = totals(alive);
            if unsure != 0 {
                for (i, state) in alive.iter_mut().enumerate().filter(|(_, s)| **s == UNSURE) {
                    let holds = truth(condition, self.start + i, self.columns);
                    *state = if holds { TRUE } else { FALSE };
                    sure += u64::from(holds);
                }
            }
            line.given += given;
            line.kept += sure;
            given = sure;
        }
        given
    }

    /// Joins the states of a node into `states`.
    fn judge<J: Join>(&self, node: &Node, states: &mut [u32], work: &mut Work, level: usize) {
        match node {
            Node::All(list) => self.nested::<J, And>(list, states, work, level),
            Node::Any(list) => self.nested::<J, Or>(list, states, work, level),
            Node::Not(inner) => {
                let mut own = take(&mut work.states, level, self.rows, TRUE);
                self.judge::<And>(inner, &mut own, work, level + 1);
                negate(&mut own);
                put_all::<J>(states, &own);
                work.states[level] = own;
            }
            Node::Constant(truth) => put::<J>(states, |_| known(*truth)),
            Node::IntegerRange { column, range } => self.range::<J>(*column, *range, states),
            Node::AnyBit { column, mask, set } => self.any_bit::<J>(*column, *mask, *set, states),
            Node::Ratio(ratio) => {
                let used = match ratio.shape {
                    logmag::RatioShape::Brighter(x) | logmag::RatioShape::Fainter(x) => [x, x],
                    logmag::RatioShape::Colour(x, y) => [x, y],
                };
                used.iter().for_each(|x| self.scan(*x, work));
                if used.iter().any(|x| work.mags[*x].has_bad) {
                    let mut own = take(&mut work.states, level, self.rows, TRUE);
                    ratio.judge::<And>(&mut own, |x| self.fluxes(x, &work.mags));
                    used.iter().for_each(|x| doubt(&mut own, &work.mags[*x]));
                    put_all::<J>(states, &own);
                    work.states[level] = own;
                } else {
                    ratio.judge::<J>(states, |x| self.fluxes(x, &work.mags));
                }
            }
            Node::Line(line) => {
                line.terms.iter().for_each(|(x, _)| self.log(*x, work));
                if line.terms.iter().any(|(x, _)| work.mags[*x].has_bad) {
                    let mut own = take(&mut work.states, level, self.rows, TRUE);
                    line.judge::<And>(&mut own, |x| &work.mags[x].logs);
                    line.terms.iter().for_each(|(x, _)| doubt(&mut own, &work.mags[*x]));
                    put_all::<J>(states, &own);
                    work.states[level] = own;
                } else {
                    line.judge::<J>(states, |x| &work.mags[x].logs);
                }
            }
            Node::Compare(op, a, b) => {
                self.log_all(a, work);
                self.log_all(b, work);
                let mut registers = std::mem::take(&mut work.registers);
                self.evaluate(a, &work.mags, &mut registers, 0);
                self.evaluate(b, &work.mags, &mut registers, 1);
                let (left, right) = registers.split_at_mut(1);
                block::compare::<J>(states, *op, &mut left[0], &mut right[0]);
                work.registers = registers;
            }
            Node::IsNan(x) => {
                self.log_all(x, work);
                let mut registers = std::mem::take(&mut work.registers);
                self.evaluate(x, &work.mags, &mut registers, 0);
                block::is_nan::<J>(states, &registers[0]);
                work.registers = registers;
            }
            Node::Scalar(condition) => {
                put::<J>(states, |i| known(truth(condition, self.start + i, self.columns)));
            }
        }
    }

    fn nested<J: Join, Inner: Join>(&self, list: &[Node], states: &mut [u32], work: &mut Work, level: usize) {
        let mut own = take(&mut work.states, level, self.rows, Inner::NEUTRAL);
        for node in list {
            self.judge::<Inner>(node, &mut own, work, level + 1);
        }
        put_all::<J>(states, &own);
        work.states[level] = own;
    }

    fn range<J: Join>(&self, column: usize, range: (i128, i128, bool), states: &mut [u32]) {
        let rows = self.start..self.start + self.rows;
        match &self.columns[column] {
            Values::U8(x) => integer::range::<J, _>(states, &x[rows], range),
            Values::I8(x) => integer::range::<J, _>(states, &x[rows], range),
            Values::U16(x) => integer::range::<J, _>(states, &x[rows], range),
            Values::I16(x) => integer::range::<J, _>(states, &x[rows], range),
            Values::U32(x) => integer::range::<J, _>(states, &x[rows], range),
            Values::I32(x) => integer::range::<J, _>(states, &x[rows], range),
            Values::U64(x) => integer::range::<J, _>(states, &x[rows], range),
            Values::I64(x) => integer::range::<J, _>(states, &x[rows], range),
            // Binding admits integers only.
            Values::F32(_) | Values::F64(_) | Values::Text(_) => put::<J>(states, |_| FALSE),
        }
    }

    fn any_bit<J: Join>(&self, column: usize, mask: u64, set: bool, states: &mut [u32]) {
        let rows = self.start..self.start + self.rows;
        match &self.columns[column] {
            Values::U8(x) => integer::any_bit::<J, _>(states, &x[rows], mask, set),
            Values::I8(x) => integer::any_bit::<J, _>(states, &x[rows], mask, set),
            Values::U16(x) => integer::any_bit::<J, _>(states, &x[rows], mask, set),
            Values::I16(x) => integer::any_bit::<J, _>(states, &x[rows], mask, set),
            Values::U32(x) => integer::any_bit::<J, _>(states, &x[rows], mask, set),
            Values::I32(x) => integer::any_bit::<J, _>(states, &x[rows], mask, set),
            Values::U64(x) => integer::any_bit::<J, _>(states, &x[rows], mask, set),
            Values::I64(x) => integer::any_bit::<J, _>(states, &x[rows], mask, set),
            Values::F32(_) | Values::F64(_) | Values::Text(_) => put::<J>(states, |_| FALSE),
        }
    }

    fn evaluate(&self, value: &Value, mags: &[MagChunk], registers: &mut Vec<Register>, first: usize) {
        let source = block::Source { columns: self.columns, start: self.start, rows: self.rows };
        let logs = |m: usize| -> Logs<'_> { (&mags[m].logs, mags[m].has_bad.then_some(&mags[m].bad[..])) };
        block::evaluate(value, &source, &logs, registers, first);
    }

    fn f32_column(&self, column: usize) -> &[f32] {
        match &self.columns[column] {
            Values::F32(x) => &x[self.start..self.start + self.rows],
            // Binding has seen an f32 column here.
            _ => &[],
        }
    }

    /// Flux and transmission of a magnitude whose inputs are there already.
    fn fluxes<'a>(&'a self, x: usize, mags: &'a [MagChunk]) -> Dereddened<'a> {
        let MagInput { flux, transmission, .. } = &self.plan.mags[x];
        let of = |source: &Source, computed: &'a [f32]| match source {
            Source::Column(c) => self.f32_column(*c),
            Source::Computed(_) => computed,
        };
        let chunk = &mags[x];
        (of(flux, &chunk.flux), transmission.as_ref().map(|t| of(t, &chunk.transmission)))
    }

    /// Computes the inputs of a magnitude and finds its bad rows, once per chunk.
    fn scan(&self, x: usize, work: &mut Work) {
        if work.mags[x].scanned {
            return;
        }
        let MagInput { flux, transmission, .. } = &self.plan.mags[x];
        let mut chunk = std::mem::take(&mut work.mags[x]);
        for (source, out) in [(Some(flux), &mut chunk.flux), (transmission.as_ref(), &mut chunk.transmission)]
        {
            if let Some(Source::Computed(value)) = source {
                self.evaluate(value, &work.mags, &mut work.registers, 0);
                out.clear();
                out.extend(work.registers[0].value.iter().map(|v| logmag::to_f32(*v)));
            }
        }
        let mut bad = std::mem::take(&mut chunk.bad);
        work.mags[x] = chunk;
        let (flux, transmission) = self.fluxes(x, &work.mags);
        let has_bad = logmag::may_be_large(flux, transmission) && {
            bad.resize(self.rows, false);
            logmag::mark_bad(&mut bad, flux, transmission)
        };
        work.mags[x].bad = bad;
        work.mags[x].has_bad = has_bad;
        work.mags[x].scanned = true;
    }

    /// Computes the logarithms of a magnitude, once per chunk.
    fn log(&self, x: usize, work: &mut Work) {
        self.scan(x, work);
        if work.mags[x].logged {
            return;
        }
        let mut logs = std::mem::take(&mut work.mags[x].logs);
        logs.resize(self.rows, 0.0);
        let mut bad = std::mem::take(&mut work.mags[x].bad);
        let (flux, transmission) = self.fluxes(x, &work.mags);
        logmag::logarithms(&mut logs, flux, transmission);
        // Products of tiny fluxes are looked after where they are compared, logarithms are not.
        let has_bad = logmag::any_tiny(flux) && {
            bad.resize(self.rows, false);
            logmag::mark_bad(&mut bad, flux, transmission)
        };
        let chunk = &mut work.mags[x];
        chunk.has_bad |= has_bad;
        chunk.bad = bad;
        chunk.logs = logs;
        chunk.logged = true;
    }

    fn log_all(&self, value: &Value, work: &mut Work) {
        match value {
            Value::Mag(x) => self.log(*x, work),
            Value::Abs(x) | Value::Neg(x) => self.log_all(x, work),
            Value::Binary(_, a, b) => {
                self.log_all(a, work);
                self.log_all(b, work);
            }
            Value::Constant(_) | Value::Column(_) => {}
        }
    }
}

/// Makes the bad rows of a magnitude unsure.
fn doubt(states: &mut [u32], mag: &MagChunk) {
    if mag.has_bad {
        for (state, _) in states.iter_mut().zip(&mag.bad).filter(|(_, bad)| **bad) {
            *state = UNSURE;
        }
    }
}
