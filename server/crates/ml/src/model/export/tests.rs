//! What is in a file. What it answers is asked of a runtime, in `runtime_tests`.

use millrace_domain::trainer::{ProgramInputs, Trainer, TrainerConfig};
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, NodeProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

use super::*;
use crate::fixture::{encoded, prepared};
use crate::model::{Estimator, OnnxModel, Predictor};
use crate::train::{FitReport, Fitted};

pub(super) const KINDS: [TargetKind; 3] = [TargetKind::Binary, TargetKind::Multiclass, TargetKind::Regression];

pub(super) fn settings(trainer: Trainer, settings: &Json) -> TrainerConfig {
    TrainerConfig::read(trainer, settings).unwrap()
}

pub(super) fn small(trainer: Trainer) -> TrainerConfig {
    match trainer {
        Trainer::GradientBoosting => {
            settings(trainer, &json!({"rounds": 12, "max_leaves": 6, "min_child_weight": 0.5}))
        }
        Trainer::RandomForest => settings(trainer, &json!({"trees": 20, "min_leaf_rows": 2})),
        _ => TrainerConfig::default_of(trainer),
    }
}

pub(super) fn read(file: &[u8]) -> (ModelProto, GraphProto) {
    let mut file = ModelProto::decode(file).unwrap();
    let graph = file.graph.take().unwrap();
    (file, graph)
}

fn nodes<'g>(graph: &'g GraphProto, operator: &str) -> Vec<&'g NodeProto> {
    graph.node.iter().filter(|node| node.op_type == operator).collect()
}

fn attribute<'n>(node: &'n NodeProto, name: &str) -> &'n AttributeProto {
    node.attribute.iter().find(|attribute| attribute.name == name).unwrap()
}

#[test]
fn the_same_model_gives_the_same_file_also_after_it_was_stored() {
    for kind in KINDS {
        let prepared = encoded(kind, 240);
        for trainer in Trainer::ALL.into_iter().filter(|trainer| trainer.fits(kind)) {
            let model = prepared.model(&small(trainer));
            let file = model.to_onnx(&Digest::of("artifact")).unwrap();
            assert_eq!(model.to_onnx(&Digest::of("artifact")).unwrap(), file);
            assert_eq!(
                Model::from_bytes(&model.to_bytes()).unwrap().to_onnx(&Digest::of("artifact")).unwrap(),
                file,
                "{kind:?} {trainer:?}"
            );
        }
    }
}

#[test]
fn inputs_are_the_features_and_outputs_what_the_model_answers() {
    let shapes = |values: &[ValueInfoProto]| -> Vec<(String, i32, usize)> {
        let of = |value: &ValueInfoProto| {
            let type_proto::Value::TensorType(tensor) = value.r#type.clone().unwrap().value.unwrap();
            (value.name.clone(), tensor.elem_type, tensor.shape.unwrap().dim.len())
        };
        values.iter().map(of).collect()
    };
    let (double, text) = (11, 8);
    let named = |name: &str, element, axes| (name.to_owned(), element, axes);
    let inputs = [
        named("size", double, 2),
        named("log_weight", double, 2),
        named("colour", text, 2),
        named("open", double, 2),
        named("hour", text, 2),
    ];
    for kind in KINDS {
        let (_, graph) =
            read(&prepared(kind, 240).model(&small(Trainer::DecisionTree)).to_onnx(&Digest::of("artifact")).unwrap());
        assert_eq!(shapes(&graph.input), inputs);
        let outputs = match kind {
            TargetKind::Regression => vec![named("value", double, 2)],
            _ => vec![named("probabilities", double, 2), named("label", text, 1)],
        };
        assert_eq!(shapes(&graph.output), outputs);
    }
}

#[test]
fn a_file_says_what_it_is_and_what_it_was_made_from() {
    let model = prepared(TargetKind::Binary, 240).model(&small(Trainer::Logistic));
    let (file, graph) = read(&model.to_onnx(&Digest::of("artifact")).unwrap());
    assert_eq!((file.producer_name.as_str(), file.ir_version), ("millrace", 8));
    assert_eq!(graph.name, "answer");
    let said = |key: &str| file.metadata_props.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
    assert_eq!(said("millrace.model"), Some(Digest::of("artifact").to_string().as_str()));
    assert_eq!(said("millrace.dataset"), Some(Digest::of("dataset").to_string().as_str()));
    assert_eq!(said("millrace.problem"), Some(Digest::of("problem").to_string().as_str()));
    assert_eq!(said("millrace.features"), Some(Digest::of("features").to_string().as_str()));
    assert_eq!(said("millrace.seed"), Some("7"));
    assert_eq!(said("millrace.kind"), Some("binary"));
    assert_eq!(said("millrace.classes"), Some(r#"["no","yes"]"#));
    assert_eq!(said("millrace.threshold"), Some("0.5"));
    assert_eq!(said("millrace.outputs"), Some(r#"["probabilities","label"]"#));
    assert_eq!(said("millrace.missing_category"), Some(""));
    let inputs: Json = serde_json::from_str(said("millrace.inputs").unwrap()).unwrap();
    let colour = json!({
        "name": "colour", "type": "category", "tensor": "string", "nullable": true, "expression": "upper(colour)",
    });
    assert_eq!(inputs[2], colour);
}

#[test]
fn an_output_that_would_be_called_as_a_feature_is_gets_another_name() {
    let model = encoded(TargetKind::Binary, 240).model(&small(Trainer::DecisionTree));
    let (_, graph) = read(&model.to_onnx(&Digest::of("artifact")).unwrap());
    assert!(graph.input.iter().any(|input| input.name == "label"));
    let outputs: Vec<&str> = graph.output.iter().map(|output| output.name.as_str()).collect();
    assert_eq!(outputs, ["probabilities", "label_"]);
}

#[test]
fn what_stands_for_a_missing_category_is_no_category() {
    let encoder = |levels: &[&str]| -> FeatureEncoder {
        let stored = json!({"category": {"levels": levels, "other_seen": false, "missing_seen": true}});
        serde_json::from_value(stored).unwrap()
    };
    assert_eq!(missing_text(&[encoder(&["a", "missing"])]), "");
    assert_eq!(missing_text(&[encoder(&["a", ""])]), "missing");
    assert_eq!(missing_text(&[encoder(&["a", ""]), encoder(&["missing"])]), "(missing)");
}

#[test]
fn inputs_without_a_name_of_their_own_are_refused() {
    let model = prepared(TargetKind::Binary, 240).model(&small(Trainer::DecisionTree));
    let text = String::from_utf8(model.to_bytes()).unwrap();
    let renamed = |name: &str| {
        let text = text.replacen(r#""name":"log_weight""#, &format!(r#""name":"{name}""#), 1);
        Model::from_bytes(text.as_bytes()).unwrap().to_onnx(&Digest::of("artifact"))
    };
    assert_eq!(renamed("size"), Err(NotExportable::Features("two are called \"size\"".to_owned())));
    assert_eq!(renamed(""), Err(NotExportable::Features("one has no name".to_owned())));
}

/// A logistic curve over the sum of a row of `width` numbers, as a program may leave it.
fn left_by_a_program(width: usize) -> Vec<u8> {
    let dim = |length| Dimension { value: Some(dimension::Value::DimValue(length)), ..Dimension::default() };
    let tensor = |name: &str, width: i64| {
        let shape = Some(TensorShapeProto { dim: vec![dim(1), dim(width)] });
        let tensor = type_proto::Tensor { elem_type: DataType::Float as i32, shape };
        let of = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() };
        ValueInfoProto { name: name.to_owned(), r#type: Some(of), ..ValueInfoProto::default() }
    };
    let node = |operator: &str, inputs: &[&str], output: &str| NodeProto {
        input: inputs.iter().map(ToString::to_string).collect(),
        output: vec![output.to_owned()],
        op_type: operator.to_owned(),
        ..NodeProto::default()
    };
    let weights = TensorProto {
        name: "weights".to_owned(),
        dims: vec![width as i64, 1],
        data_type: DataType::Float as i32,
        float_data: vec![0.1; width],
        ..TensorProto::default()
    };
    let graph = GraphProto {
        name: "program".to_owned(),
        node: vec![node("MatMul", &["row", "weights"], "sum"), node("Sigmoid", &["sum"], "score")],
        initializer: vec![weights],
        input: vec![tensor("row", width as i64)],
        output: vec![tensor("score", 1)],
        ..GraphProto::default()
    };
    let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: 15 }];
    ModelProto { ir_version: 8, opset_import, graph: Some(graph), ..ModelProto::default() }.encode_to_vec()
}

#[test]
fn a_model_that_a_program_left_as_onnx_is_refused_with_the_way_out() {
    let prepared = prepared(TargetKind::Binary, 240);
    let other = prepared.model(&small(Trainer::DecisionTree));
    let encoders = other.predictor().encoders().clone();
    let file = left_by_a_program(encoders.columns());
    let left = OnnxModel::read(file, ProgramInputs::Columns, &encoders, TargetKind::Binary, 2).unwrap();
    let classes = ["no".to_owned(), "yes".to_owned()];
    let estimator = Estimator::Onnx(Box::new(left));
    let predictor = Predictor::new(TargetKind::Binary, &classes, encoders, estimator).unwrap();
    let fitted = Fitted { predictor, report: FitReport::default() };
    let error =
        Model::new(&prepared.plan, fitted, other.lineage().clone()).to_onnx(&Digest::of("artifact")).unwrap_err();
    assert_eq!(error, NotExportable::Elsewhere);
    assert!(error.to_string().contains("train with one of the trainers of Millrace"), "{error}");
}

/// Where a row goes from a node of the file, by the code of a category or with none, until it comes to what is a node of the tree as well.
fn followed(ensemble: &NodeProto, tree: usize, from: usize, nodes: usize, code: Option<f32>) -> i64 {
    let ints = |name: &str| &attribute(ensemble, name).ints;
    let mut node = from as i64;
    loop {
        let is_it =
            |place: &usize| ints("nodes_treeids")[*place] == tree as i64 && ints("nodes_nodeids")[*place] == node;
        let place = (0..ints("nodes_nodeids").len()).find(is_it).unwrap();
        assert_eq!(attribute(ensemble, "nodes_modes").strings[place], b"BRANCH_LT");
        let is_yes = match code {
            Some(code) => code < attribute(ensemble, "nodes_values").floats[place],
            None => ints("nodes_missing_value_tracks_true")[place] == 1,
        };
        node = ints(if is_yes { "nodes_truenodeids" } else { "nodes_falsenodeids" })[place];
        if node < nodes as i64 {
            return node;
        }
    }
}

#[test]
fn a_split_by_categories_leads_each_of_them_and_a_missing_one_where_it_led() {
    let model = prepared(TargetKind::Regression, 2_000).model(&small(Trainer::GradientBoosting));
    let Estimator::Trees(trees) = model.predictor().estimator() else { panic!() };
    let (_, graph) = read(&model.to_onnx(&Digest::of("artifact")).unwrap());
    let ensembles = nodes(&graph, "TreeEnsembleRegressor");
    let [ensemble] = ensembles[..] else { panic!("{}", ensembles.len()) };
    let mut by_categories = 0;
    for (number, tree) in trees.trees().iter().enumerate() {
        for (id, node) in tree.nodes().iter().enumerate().filter(|(_, node)| node.is_categorical && !node.is_leaf()) {
            by_categories += 1;
            let led = |code| followed(ensemble, number, id, tree.num_nodes(), code);
            let side = |is_left: bool| i64::from(if is_left { node.left } else { node.right });
            for code in 0..30 {
                assert_eq!(led(Some(code as f32)), side(tree.split_categories(id).contains(&code)));
            }
            assert_eq!(led(None), side(node.default_left));
        }
    }
    assert!(by_categories > 0, "no tree splits by a category");
}

#[test]
fn many_trees_are_found_by_several_operators_and_added_in_their_order() {
    let boosting = settings(
        Trainer::GradientBoosting,
        &json!({"rounds": 150, "max_leaves": 3, "early_stopping_rounds": 0, "min_child_weight": 0.1}),
    );
    let model = prepared(TargetKind::Multiclass, 240).model(&boosting);
    let (_, graph) = read(&model.to_onnx(&Digest::of("artifact")).unwrap());
    let targets: Vec<i64> =
        nodes(&graph, "TreeEnsembleRegressor").iter().map(|node| attribute(node, "n_targets").i).collect();
    assert_eq!(targets, [255, 195]);
    assert_eq!(nodes(&graph, "CumSum").len(), 2);
}
