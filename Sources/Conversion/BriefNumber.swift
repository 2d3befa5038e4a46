/// Three significant digits: `4.12e-09`, `0.31`, `12`.
package func brief(_ value: Double) -> String {
  guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
  var exponent = 0
  while let power = Double("1e\(exponent)"), power > value.magnitude, exponent > -330 {
    exponent -= 1
  }
  while let power = Double("1e\(exponent + 1)"), power <= value.magnitude { exponent += 1 }
  let unit = exponent - 2
  guard unit > -300 else { return "\(value)" }
  let digits = unit < 0 ? value * Double("1e\(-unit)")! : value / Double("1e\(unit)")!
  let text = "\(Double("\(Int(digits.rounded()))e\(unit)") ?? value)"
  return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
}
