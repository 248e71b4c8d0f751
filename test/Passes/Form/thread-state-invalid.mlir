// RUN: linnet-opt %s --split-input-file --linnet-thread-state --verify-diagnostics

// expected-error@+1 {{expected a function @forward}}
module attributes {linnet.model = {max_context = 7 : i64}} {
}

// -----

// expected-error@+1 {{expected max-context or a positive max_context in linnet.model}}
module {
  func.func @forward(%x: tensor<1x2xf32>, %position: index) -> tensor<1x2xf32> {
    return %x : tensor<1x2xf32>
  }
}

// -----

module attributes {linnet.model = {max_context = 7 : i64}} {
  func.func @forward(%q: tensor<?x?x2x3xf32>, %position: index) -> tensor<?x?x2x3xf32> {
    // expected-error@+1 {{cannot run token by token: attention without causal mask reads later tokens}}
    %o = linnet.attention %q, %q, %q {scale = 1.0 : f64}
      : (tensor<?x?x2x3xf32>, tensor<?x?x2x3xf32>, tensor<?x?x2x3xf32>) -> tensor<?x?x2x3xf32>
    return %o : tensor<?x?x2x3xf32>
  }
}

// -----

module attributes {linnet.model = {max_context = 7 : i64}} {
  func.func @forward(%q: tensor<?x?x2x3xf32>, %position: index) -> tensor<?x?x2x3xf32> {
    // expected-error@+1 {{cannot run token by token: a reverse scan reads later tokens}}
    %o, %s = linnet.scan #linnet.none %q, %q, %q {reverse}
      : (tensor<?x?x2x3xf32>, tensor<?x?x2x3xf32>, tensor<?x?x2x3xf32>) -> (tensor<?x?x2x3xf32>, tensor<?x2x3x3xf32>)
    return %o : tensor<?x?x2x3xf32>
  }
}

// -----

module attributes {linnet.model = {kind = "encoder", max_context = 7 : i64}} {
  // expected-remark@+1 {{no state threaded: an encoder reads the whole sequence at once}}
  func.func @forward(%q: tensor<?x?x2x3xf32>) -> tensor<?x?x2x3xf32> {
    return %q : tensor<?x?x2x3xf32>
  }
}

// -----

module attributes {linnet.model = {max_context = 7 : i64}} {
  func.func private @cell(%x: tensor<?x4xf32>, %h: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
    return %h, %x : tensor<?x4xf32>, tensor<?x4xf32>
  }
  func.func @forward(%x: tensor<?x?x4xf32>, %position: index) -> tensor<?x?x4xf32> {
    // expected-error@+1 {{cannot run token by token: it runs from the last token to the first}}
    %y, %h = linnet.recurrence @cell(%x) {reverse} : (tensor<?x?x4xf32>) -> tensor<?x?x4xf32> state(tensor<?x4xf32>)
    return %y : tensor<?x?x4xf32>
  }
}

// -----

module attributes {linnet.model = {max_context = 7 : i64}} {
  func.func @forward(%x: tensor<?x?x4xf32>, %position: index) -> tensor<?x?x4xf32> {
    %y = call @a(%x) : (tensor<?x?x4xf32>) -> tensor<?x?x4xf32>
    return %y : tensor<?x?x4xf32>
  }
  // expected-error@+1 {{expected functions that do not apply themselves, but got @a}}
  func.func private @a(%x: tensor<?x?x4xf32>) -> tensor<?x?x4xf32> {
    %y = call @b(%x) : (tensor<?x?x4xf32>) -> tensor<?x?x4xf32>
    return %y : tensor<?x?x4xf32>
  }
  func.func private @b(%x: tensor<?x?x4xf32>) -> tensor<?x?x4xf32> {
    %y = call @a(%x) : (tensor<?x?x4xf32>) -> tensor<?x?x4xf32>
    %z = call @leaf(%y) : (tensor<?x?x4xf32>) -> tensor<?x?x4xf32>
    return %z : tensor<?x?x4xf32>
  }
  func.func private @leaf(%x: tensor<?x?x4xf32>) -> tensor<?x?x4xf32> {
    return %x : tensor<?x?x4xf32>
  }
}
