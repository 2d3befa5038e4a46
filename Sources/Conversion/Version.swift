/// The version of the program and its libraries.
public let repconvVersion = "0.1.0"
