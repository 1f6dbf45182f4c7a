//! From SQL text to our tree. Whatever the match below does not name is forbidden.

use sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, CeilFloorKind, DataType, DateTimeField, Expr, Function as Call, FunctionArg,
    FunctionArgExpr, FunctionArguments, InTarget, UnaryOperator, Value as Literal,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::pattern::Pattern;
use super::{ExpressionError, Function, MAX_DEPTH, MAX_LENGTH, Node, Operator};
use crate::schema::ValueType;

type Tree = Node<String>;

/// Reads one scalar expression and nothing after it.
pub(super) fn parse(text: &str) -> Result<Tree, ExpressionError> {
    if text.chars().count() > MAX_LENGTH {
        return Err(ExpressionError::TooLarge);
    }
    let syntax = |error: sqlparser::parser::ParserError| {
        let message = error.to_string();
        ExpressionError::Syntax(message.trim_start_matches("sql parser error: ").to_owned())
    };
    let dialect = PostgreSqlDialect {};
    let mut parser = Parser::new(&dialect).with_recursion_limit(MAX_DEPTH).try_with_sql(text).map_err(syntax)?;
    let expression = parser.parse_expr().map_err(syntax)?;
    match parser.next_token().token {
        Token::EOF => convert(expression, 0),
        extra => Err(ExpressionError::Syntax(format!("did not expect {extra} after the expression"))),
    }
}

fn convert(expression: Expr, depth: usize) -> Result<Tree, ExpressionError> {
    if depth > MAX_DEPTH {
        return Err(ExpressionError::TooLarge);
    }
    let one = |expr: Box<Expr>| convert(*expr, depth + 1).map(Box::new);
    let call = |function: Function, arguments: Vec<Expr>| call(function, arguments, depth);
    Ok(match expression {
        Expr::Identifier(name) => Node::Column(name.value),
        Expr::CompoundIdentifier(names) if names.len() == 2 => {
            Node::Column(names.into_iter().map(|name| name.value).collect::<Vec<_>>().join("."))
        }
        Expr::Value(value) => literal(value.value)?,
        Expr::Nested(inner) => convert(*inner, depth + 1)?,
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => Node::Negate(one(expr)?),
        Expr::UnaryOp { op: UnaryOperator::Plus, expr } => convert(*expr, depth + 1)?,
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => Node::Not(one(expr)?),
        Expr::BinaryOp { left, op: op @ (BinaryOperator::PGRegexMatch | BinaryOperator::PGRegexNotMatch), right } => {
            match convert(*right, depth + 1)? {
                Node::Text(pattern) => {
                    let pattern = Pattern::read(&pattern).map_err(ExpressionError::Syntax)?;
                    Node::Matches { item: one(left)?, pattern, negated: op == BinaryOperator::PGRegexNotMatch }
                }
                _ => return Err(forbidden("a regular expression that is not a literal text")),
            }
        }
        Expr::BinaryOp { left, op, right } => Node::Binary(operator(&op)?, one(left)?, one(right)?),
        Expr::Between { expr, negated, low, high } => between(*expr, *low, *high, negated, depth)?,
        Expr::In { expr, target: InTarget::List(list), negated, global: false } => Node::In {
            item: one(expr)?,
            list: list.into_iter().map(|item| convert(item, depth + 1)).collect::<Result<_, _>>()?,
            negated,
        },
        Expr::Like { negated, any: false, expr, pattern, escape_char: None } => match convert(*pattern, depth + 1)? {
            Node::Text(pattern) => Node::Like { item: one(expr)?, pattern, negated },
            _ => return Err(forbidden("a LIKE pattern that is not a literal text")),
        },
        Expr::IsNull(expr) => Node::IsNull { item: one(expr)?, negated: false },
        Expr::IsNotNull(expr) => Node::IsNull { item: one(expr)?, negated: true },
        Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr, data_type, format: None } => {
            Node::Cast(one(expr)?, cast_target(&data_type)?)
        }
        Expr::Case { operand: None, conditions, else_result, .. } => case(conditions, else_result, depth)?,
        Expr::Ceil { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
            call(Function::Ceil, vec![*expr])?
        }
        Expr::Floor { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
            call(Function::Floor, vec![*expr])?
        }
        Expr::Substring { expr, substring_from: Some(from), substring_for, .. } => {
            let arguments = [*expr, *from].into_iter().chain(substring_for.map(|length| *length));
            call(Function::Substr, arguments.collect())?
        }
        Expr::Trim { trim_where: None, trim_what: None, expr, trim_characters: None } => {
            call(Function::Trim, vec![*expr])?
        }
        Expr::Extract { field, expr, .. } => call(extracted(&field)?, vec![*expr])?,
        Expr::Function(function) => {
            let (function, arguments) = plain_call(function)?;
            call(function, arguments)?
        }
        other => return Err(forbidden(&format!("{other}"))),
    })
}

fn call(function: Function, arguments: Vec<Expr>, depth: usize) -> Result<Tree, ExpressionError> {
    let (least, most, takes) = function.arity();
    if !(least..=most).contains(&arguments.len()) {
        return Err(ExpressionError::Arity { function: function.name(), given: arguments.len(), takes });
    }
    let arguments = arguments.into_iter().map(|argument| convert(argument, depth + 1)).collect::<Result<_, _>>()?;
    Ok(Node::Call(function, arguments))
}

/// `x between low and high` is `x >= low and x <= high`.
fn between(expr: Expr, low: Expr, high: Expr, negated: bool, depth: usize) -> Result<Tree, ExpressionError> {
    let item = Box::new(convert(expr, depth + 1)?);
    let above = Node::Binary(Operator::GreaterOrEqual, item.clone(), Box::new(convert(low, depth + 1)?));
    let below = Node::Binary(Operator::LessOrEqual, item, Box::new(convert(high, depth + 1)?));
    let inside = Node::Binary(Operator::And, Box::new(above), Box::new(below));
    Ok(if negated { Node::Not(Box::new(inside)) } else { inside })
}

fn case(conditions: Vec<CaseWhen>, otherwise: Option<Box<Expr>>, depth: usize) -> Result<Tree, ExpressionError> {
    let branches = conditions
        .into_iter()
        .map(|when| Ok((convert(when.condition, depth + 1)?, convert(when.result, depth + 1)?)))
        .collect::<Result<_, ExpressionError>>()?;
    let otherwise = match otherwise {
        Some(expression) => convert(*expression, depth + 1)?,
        None => Node::Null,
    };
    Ok(Node::Case { branches, otherwise: Box::new(otherwise) })
}

/// A call with plain positional arguments: no window, filter, DISTINCT, ORDER BY or named argument.
fn plain_call(call: Call) -> Result<(Function, Vec<Expr>), ExpressionError> {
    let written = call.name.to_string();
    let function = Function::named(&written).ok_or_else(|| forbidden(&format!("the function {written}")))?;
    let plain = call.over.is_none()
        && call.filter.is_none()
        && call.null_treatment.is_none()
        && call.within_group.is_empty()
        && matches!(call.parameters, FunctionArguments::None);
    let FunctionArguments::List(list) = call.args else {
        return Err(forbidden(&format!("{written} without an argument list")));
    };
    if !plain || list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
        return Err(forbidden(&format!("{written} as an aggregate or window")));
    }
    let arguments = list
        .args
        .into_iter()
        .map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
            other => Err(forbidden(&format!("the argument {other}"))),
        })
        .collect::<Result<_, _>>()?;
    Ok((function, arguments))
}

fn literal(value: Literal) -> Result<Tree, ExpressionError> {
    match value {
        Literal::Number(text, _) => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Node::Number(number)),
            _ => Err(ExpressionError::Syntax(format!("{text} is not a finite number"))),
        },
        Literal::SingleQuotedString(text) => Ok(Node::Text(text)),
        Literal::Boolean(truth) => Ok(Node::Boolean(truth)),
        Literal::Null => Ok(Node::Null),
        other => Err(forbidden(&format!("the literal {other}"))),
    }
}

fn operator(operator: &BinaryOperator) -> Result<Operator, ExpressionError> {
    Ok(match operator {
        BinaryOperator::Plus => Operator::Add,
        BinaryOperator::Minus => Operator::Subtract,
        BinaryOperator::Multiply => Operator::Multiply,
        BinaryOperator::Divide => Operator::Divide,
        BinaryOperator::Modulo => Operator::Remainder,
        BinaryOperator::StringConcat => Operator::Concat,
        BinaryOperator::Eq => Operator::Equal,
        BinaryOperator::NotEq => Operator::NotEqual,
        BinaryOperator::Lt => Operator::Less,
        BinaryOperator::LtEq => Operator::LessOrEqual,
        BinaryOperator::Gt => Operator::Greater,
        BinaryOperator::GtEq => Operator::GreaterOrEqual,
        BinaryOperator::And => Operator::And,
        BinaryOperator::Or => Operator::Or,
        other => return Err(forbidden(&format!("the operator {other}"))),
    })
}

fn cast_target(data_type: &DataType) -> Result<ValueType, ExpressionError> {
    match data_type {
        DataType::Double(_) | DataType::DoublePrecision | DataType::Float(_) | DataType::Real => Ok(ValueType::Number),
        DataType::Text | DataType::Varchar(None) => Ok(ValueType::Text),
        other => Err(forbidden(&format!("CAST to {other} (DOUBLE PRECISION and TEXT are allowed)"))),
    }
}

fn extracted(field: &DateTimeField) -> Result<Function, ExpressionError> {
    Ok(match field {
        DateTimeField::Year => Function::Year,
        DateTimeField::Month => Function::Month,
        DateTimeField::Day => Function::Day,
        DateTimeField::Hour => Function::Hour,
        DateTimeField::Minute => Function::Minute,
        DateTimeField::Dow | DateTimeField::DayOfWeek => Function::DayOfWeek,
        DateTimeField::Epoch => Function::Epoch,
        other => return Err(forbidden(&format!("EXTRACT of {other}"))),
    })
}

fn forbidden(what: &str) -> ExpressionError {
    ExpressionError::Forbidden(what.chars().take(120).collect())
}
