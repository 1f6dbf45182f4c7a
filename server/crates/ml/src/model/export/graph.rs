//! An ONNX graph while it is written: nodes in the order in which they calculate, and every value named once.

use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, NodeProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

/// The domain of operators that are for trees and categories.
pub(super) const ML: &str = "ai.onnx.ml";
/// What the number of rows is called where shapes are declared.
const ROWS: &str = "rows";

/// A tensor of the graph, by its name.
#[derive(Debug, Clone)]
pub(super) struct Tensor(String);

/// What a tensor holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    /// Doubles.
    Double,
    /// Single-precision numbers.
    Single,
    /// Whole numbers of 64 bits.
    Whole,
    /// Texts.
    Text,
}

impl Element {
    const fn code(self) -> i32 {
        (match self {
            Self::Double => DataType::Double,
            Self::Single => DataType::Float,
            Self::Whole => DataType::Int64,
            Self::Text => DataType::String,
        }) as i32
    }
}

/// The elements of a constant, the last axis running fastest.
#[derive(Debug, Clone)]
pub(super) enum Elements {
    /// Doubles.
    Doubles(Vec<f64>),
    /// Single-precision numbers.
    Singles(Vec<f32>),
    /// Whole numbers.
    Wholes(Vec<i64>),
    /// Texts.
    Texts(Vec<String>),
}

/// What a node is told besides its inputs.
#[derive(Debug, Clone)]
pub(super) enum Attribute {
    /// A whole number.
    Whole(i64),
    /// A single-precision number.
    Single(f32),
    /// A word.
    Word(&'static str),
    /// Whole numbers.
    Wholes(Vec<i64>),
    /// Single-precision numbers.
    Singles(Vec<f32>),
    /// Texts.
    Texts(Vec<String>),
}

/// A graph while it is written.
#[derive(Debug)]
pub(super) struct Graph {
    proto: GraphProto,
    /// What the names of values in between begin with; no input's name does.
    prefix: String,
    made: usize,
    rows: Option<Tensor>,
}

impl Graph {
    /// A graph of that name whose inputs are columns: `[rows, 1]` each.
    pub(super) fn new<'n>(name: &str, inputs: impl Iterator<Item = (&'n str, Element, String)>) -> Self {
        let inputs: Vec<ValueInfoProto> =
            inputs.map(|(name, element, doc)| declared(name, element, &[1], doc)).collect();
        let mut prefix = "of_".to_owned();
        while inputs.iter().any(|input| input.name.starts_with(&prefix)) {
            prefix.push('_');
        }
        let proto = GraphProto { name: name.to_owned(), input: inputs, ..GraphProto::default() };
        Self { proto, prefix, made: 0, rows: None }
    }

    /// The input at that place.
    pub(super) fn input(&self, place: usize) -> Tensor {
        Tensor(self.proto.input[place].name.clone())
    }

    /// Says that a tensor is an output: `[rows]` and as many more dimensions as `shape` has. Gives the name, which is the one that is asked
    /// for with as many underscores behind it as keep it apart from the inputs'.
    pub(super) fn output(
        &mut self,
        name: &str,
        tensor: &Tensor,
        element: Element,
        shape: &[usize],
        doc: &str,
    ) -> String {
        let mut name = name.to_owned();
        while self.proto.input.iter().any(|input| input.name == name) {
            name.push('_');
        }
        self.proto.output.push(declared(&name, element, shape, doc.to_owned()));
        self.push("", "Identity", &[tensor], Vec::new(), name.clone());
        name
    }

    /// What an operator makes of tensors.
    pub(super) fn op(&mut self, operator: &str, inputs: &[&Tensor]) -> Tensor {
        self.with("", operator, inputs, [])
    }

    /// The same along an axis, or with another whole number that the operator is told.
    pub(super) fn op_of(&mut self, operator: &str, inputs: &[&Tensor], attributes: &[(&'static str, i64)]) -> Tensor {
        let attributes = attributes.iter().map(|(name, number)| (*name, Attribute::Whole(*number)));
        self.with("", operator, inputs, attributes)
    }

    /// What an operator of [`ML`] makes of a tensor.
    pub(super) fn ml<const N: usize>(
        &mut self,
        operator: &str,
        input: &Tensor,
        attributes: [(&'static str, Attribute); N],
    ) -> Tensor {
        self.with(ML, operator, &[input], attributes)
    }

    fn with(
        &mut self,
        domain: &str,
        operator: &str,
        inputs: &[&Tensor],
        attributes: impl IntoIterator<Item = (&'static str, Attribute)>,
    ) -> Tensor {
        let name = self.name(operator);
        let attributes = attributes.into_iter().map(|(name, attribute)| told(name, attribute)).collect();
        self.push(domain, operator, inputs, attributes, name.clone());
        Tensor(name)
    }

    fn push(
        &mut self,
        domain: &str,
        operator: &str,
        inputs: &[&Tensor],
        attribute: Vec<AttributeProto>,
        output: String,
    ) {
        self.proto.node.push(NodeProto {
            input: inputs.iter().map(|input| input.0.clone()).collect(),
            name: format!("to_{output}"),
            output: vec![output],
            op_type: operator.to_owned(),
            domain: domain.to_owned(),
            attribute,
            ..NodeProto::default()
        });
    }

    fn name(&mut self, of: &str) -> String {
        self.made += 1;
        format!("{}{}_{}", self.prefix, self.made, of.to_lowercase())
    }

    /// A tensor that never changes.
    pub(super) fn constant(&mut self, shape: &[usize], elements: Elements) -> Tensor {
        let name = self.name("constant");
        self.proto.initializer.push(stored(name.clone(), shape, elements));
        Tensor(name)
    }

    /// One double.
    pub(super) fn double(&mut self, number: f64) -> Tensor {
        self.constant(&[], Elements::Doubles(vec![number]))
    }

    /// One single-precision number.
    pub(super) fn single(&mut self, number: f32) -> Tensor {
        self.constant(&[], Elements::Singles(vec![number]))
    }

    /// Whole numbers in a row, such as axes or places.
    pub(super) fn wholes(&mut self, numbers: Vec<i64>) -> Tensor {
        self.constant(&[numbers.len()], Elements::Wholes(numbers))
    }

    /// The same numbers as another type.
    pub(super) fn cast(&mut self, tensor: &Tensor, element: Element) -> Tensor {
        self.op_of("Cast", &[tensor], &[("to", i64::from(element.code()))])
    }

    /// Tensors side by side along an axis; one of them stays itself.
    pub(super) fn concat(&mut self, tensors: &[Tensor], axis: i64) -> Tensor {
        match tensors {
            [one] => one.clone(),
            _ => self.op_of("Concat", &tensors.iter().collect::<Vec<_>>(), &[("axis", axis)]),
        }
    }

    /// A tensor with one more axis, of length 1.
    pub(super) fn unsqueeze(&mut self, tensor: &Tensor, axis: i64) -> Tensor {
        let axes = self.wholes(vec![axis]);
        self.op("Unsqueeze", &[tensor, &axes])
    }

    /// A tensor without an axis of length 1.
    pub(super) fn squeeze(&mut self, tensor: &Tensor, axis: i64) -> Tensor {
        let axes = self.wholes(vec![axis]);
        self.op("Squeeze", &[tensor, &axes])
    }

    /// `[1, …]` once for each row of the inputs: `[rows, …]`; `shape` is what comes after the first axis.
    pub(super) fn for_each_row(&mut self, tensor: &Tensor, shape: &[usize]) -> Tensor {
        let first = self.input(0);
        let rows = match &self.rows {
            Some(rows) => rows.clone(),
            None => self.op_of("Shape", &[&first], &[("start", 0), ("end", 1)]),
        };
        self.rows = Some(rows.clone());
        let rest = self.wholes(shape.iter().map(|length| *length as i64).collect());
        let shape = self.concat(&[rows, rest], 0);
        self.op("Expand", &[tensor, &shape])
    }

    /// The largest of each row: `[rows, several]` to `[rows, 1]`.
    pub(super) fn largest(&mut self, tensor: &Tensor) -> Tensor {
        self.with("", "ReduceMax", &[tensor], [("axes", Attribute::Wholes(vec![1]))])
    }

    /// The sum of each row, in any order: `[rows, several]` to `[rows, 1]`.
    pub(super) fn sum(&mut self, tensor: &Tensor) -> Tensor {
        let axes = self.wholes(vec![1]);
        self.op("ReduceSum", &[tensor, &axes])
    }

    /// Sums over the second axis, from the first term to the last as they would be added by hand: `[rows, terms, outputs]` to
    /// `[rows, 1, outputs]`. [`Self::sum`] may round otherwise.
    pub(super) fn sum_in_order(&mut self, terms: &Tensor) -> Tensor {
        let axis = self.constant(&[], Elements::Wholes(vec![1]));
        let sums = self.op("CumSum", &[terms, &axis]);
        let last = self.wholes(vec![-1]);
        self.op_of("Gather", &[&sums, &last], &[("axis", 1)])
    }

    /// The whole graph.
    pub(super) fn finish(self) -> GraphProto {
        self.proto
    }
}

/// A tensor as it is declared: so many rows, and the axes after them.
fn declared(name: &str, element: Element, shape: &[usize], doc_string: String) -> ValueInfoProto {
    let axis = |value: dimension::Value| Dimension { value: Some(value), ..Dimension::default() };
    let rows = axis(dimension::Value::DimParam(ROWS.to_owned()));
    let axes = shape.iter().map(|length| axis(dimension::Value::DimValue(*length as i64)));
    let shape = TensorShapeProto { dim: std::iter::once(rows).chain(axes).collect() };
    let tensor = type_proto::Tensor { elem_type: element.code(), shape: Some(shape) };
    let of = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() };
    ValueInfoProto { name: name.to_owned(), r#type: Some(of), doc_string }
}

fn stored(name: String, shape: &[usize], elements: Elements) -> TensorProto {
    let dims = shape.iter().map(|length| *length as i64).collect();
    let of = |element: Element| TensorProto { name, dims, data_type: element.code(), ..TensorProto::default() };
    match elements {
        Elements::Doubles(double_data) => TensorProto { double_data, ..of(Element::Double) },
        Elements::Singles(float_data) => TensorProto { float_data, ..of(Element::Single) },
        Elements::Wholes(int64_data) => TensorProto { int64_data, ..of(Element::Whole) },
        Elements::Texts(texts) => TensorProto { string_data: bytes(texts), ..of(Element::Text) },
    }
}

fn told(name: &str, attribute: Attribute) -> AttributeProto {
    let of = |kind: AttributeType| AttributeProto {
        name: name.to_owned(),
        r#type: kind as i32,
        ..AttributeProto::default()
    };
    match attribute {
        Attribute::Whole(i) => AttributeProto { i, ..of(AttributeType::Int) },
        Attribute::Single(f) => AttributeProto { f, ..of(AttributeType::Float) },
        Attribute::Word(word) => AttributeProto { s: word.as_bytes().to_vec(), ..of(AttributeType::String) },
        Attribute::Wholes(ints) => AttributeProto { ints, ..of(AttributeType::Ints) },
        Attribute::Singles(floats) => AttributeProto { floats, ..of(AttributeType::Floats) },
        Attribute::Texts(texts) => AttributeProto { strings: bytes(texts), ..of(AttributeType::Strings) },
    }
}

fn bytes(texts: Vec<String>) -> Vec<Vec<u8>> {
    texts.into_iter().map(String::into_bytes).collect()
}
