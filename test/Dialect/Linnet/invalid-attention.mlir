// RUN: linnet-opt %s --split-input-file --verify-diagnostics

func.func @attention_c1_query(%q: tensor<5x4x6xf32>, %k: tensor<1x5x2x6xf32>, %v: tensor<1x5x2x6xf32>) {
  // expected-error @+1 {{expected query, key and value of rank 4, but got 'tensor<5x4x6xf32>', 'tensor<1x5x2x6xf32>' and 'tensor<1x5x2x6xf32>'}}
  %o = linnet.attention %q, %k, %v {scale = 1.0 : f64} : (tensor<5x4x6xf32>, tensor<1x5x2x6xf32>, tensor<1x5x2x6xf32>) -> tensor<5x4x6xf32>
  return
}

// -----

func.func @attention_c1_key(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x6xf32>, %v: tensor<1x5x2x6xf32>) {
  // expected-error @+1 {{expected query, key and value of rank 4}}
  %o = linnet.attention %q, %k, %v {scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<1x5x6xf32>, tensor<1x5x2x6xf32>) -> tensor<1x5x4x6xf32>
  return
}

// -----

func.func @attention_c2_heads(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x3x6xf32>, %v: tensor<1x5x3x6xf32>) {
  // expected-error @+1 {{expected the key heads to divide 4 query heads, but got 3}}
  %o = linnet.attention %q, %k, %v {scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<1x5x3x6xf32>, tensor<1x5x3x6xf32>) -> tensor<1x5x4x6xf32>
  return
}

// -----

func.func @attention_c2_no_heads(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x0x6xf32>, %v: tensor<1x5x0x6xf32>) {
  // expected-error @+1 {{expected the key heads to divide 4 query heads, but got 0}}
  %o = linnet.attention %q, %k, %v {scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<1x5x0x6xf32>, tensor<1x5x0x6xf32>) -> tensor<1x5x4x6xf32>
  return
}

// -----

func.func @attention_c2_widths(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x2x7xf32>, %v: tensor<1x5x2x6xf32>) {
  // expected-error @+1 {{expected query and key of equal width}}
  %o = linnet.attention %q, %k, %v {scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<1x5x2x7xf32>, tensor<1x5x2x6xf32>) -> tensor<1x5x4x6xf32>
  return
}

// -----

func.func @attention_c2_key_value_heads(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x2x6xf32>, %v: tensor<1x5x1x6xf32>) {
  // expected-error @+1 {{expected key and value of equal heads and length}}
  %o = linnet.attention %q, %k, %v {scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<1x5x2x6xf32>, tensor<1x5x1x6xf32>) -> tensor<1x5x4x6xf32>
  return
}

// -----

func.func @attention_c2_key_value_length(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x2x6xf32>, %v: tensor<1x4x2x6xf32>) {
  // expected-error @+1 {{expected key and value of equal heads and length}}
  %o = linnet.attention %q, %k, %v {scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<1x5x2x6xf32>, tensor<1x4x2x6xf32>) -> tensor<1x5x4x6xf32>
  return
}

// -----

func.func @attention_c2_batch(%q: tensor<1x5x4x6xf32>, %k: tensor<2x5x2x6xf32>, %v: tensor<2x5x2x6xf32>) {
  // expected-error @+1 {{expected query, key and value of one batch}}
  %o = linnet.attention %q, %k, %v {scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<2x5x2x6xf32>, tensor<2x5x2x6xf32>) -> tensor<1x5x4x6xf32>
  return
}

// -----

func.func @attention_c2_dynamic_heads(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x?x6xf32>, %v: tensor<1x5x2x6xf32>) {
  // expected-error @+1 {{expected static heads and widths, but got 'tensor<1x5x?x6xf32>'}}
  %o = linnet.attention %q, %k, %v {scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<1x5x?x6xf32>, tensor<1x5x2x6xf32>) -> tensor<1x5x4x6xf32>
  return
}

// -----

func.func @attention_c3_position_missing(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x2x6xf32>, %v: tensor<1x5x2x6xf32>, %a: tensor<1x9x2x6xf32>, %b: tensor<1x9x2x6xf32>) {
  // expected-error @+1 {{expected a cache of keys and values and a position, but got 2 caches and no position}}
  %o:3 = linnet.attention %q, %k, %v cache(%a, %b) {scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<1x5x2x6xf32>, tensor<1x5x2x6xf32>, tensor<1x9x2x6xf32>, tensor<1x9x2x6xf32>) -> (tensor<1x5x4x6xf32>, tensor<1x9x2x6xf32>, tensor<1x9x2x6xf32>)
  return
}

// -----

func.func @attention_c3_one_cache(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x2x6xf32>, %v: tensor<1x5x2x6xf32>, %a: tensor<1x9x2x6xf32>, %b: index) {
  // expected-error @+1 {{expected a cache of keys and values and a position, but got 1 caches and a position}}
  %o:2 = linnet.attention %q, %k, %v cache(%a) at %b {scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<1x5x2x6xf32>, tensor<1x5x2x6xf32>, tensor<1x9x2x6xf32>, index) -> (tensor<1x5x4x6xf32>, tensor<1x9x2x6xf32>)
  return
}

// -----

func.func @attention_c3_position_alone(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x2x6xf32>, %v: tensor<1x5x2x6xf32>, %a: index) {
  // expected-error @+1 {{expected a cache of keys and values and a position, but got 0 caches and a position}}
  %o = linnet.attention %q, %k, %v at %a {scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<1x5x2x6xf32>, tensor<1x5x2x6xf32>, index) -> tensor<1x5x4x6xf32>
  return
}

// -----

func.func @attention_c3_cache_shape(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x2x6xf32>, %v: tensor<1x5x2x6xf32>, %a: tensor<1x9x2x6xf32>, %b: tensor<1x9x2x5xf32>, %c: index) {
  // expected-error @+1 {{expected a cache [B, C, 2, 6], but got 'tensor<1x9x2x5xf32>'}}
  %o:3 = linnet.attention %q, %k, %v cache(%a, %b) at %c {scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<1x5x2x6xf32>, tensor<1x5x2x6xf32>, tensor<1x9x2x6xf32>, tensor<1x9x2x5xf32>, index) -> (tensor<1x5x4x6xf32>, tensor<1x9x2x6xf32>, tensor<1x9x2x5xf32>)
  return
}

// -----

func.func @attention_c3_cache_rank(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x2x6xf32>, %v: tensor<1x5x2x6xf32>, %a: tensor<9x2x6xf32>, %b: tensor<1x9x2x6xf32>, %c: index) {
  // expected-error @+1 {{expected a cache [B, C, 2, 6], but got 'tensor<9x2x6xf32>'}}
  %o:3 = linnet.attention %q, %k, %v cache(%a, %b) at %c {scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<1x5x2x6xf32>, tensor<1x5x2x6xf32>, tensor<9x2x6xf32>, tensor<1x9x2x6xf32>, index) -> (tensor<1x5x4x6xf32>, tensor<9x2x6xf32>, tensor<1x9x2x6xf32>)
  return
}

// -----

func.func @attention_c3_length(%q: tensor<1x5x4x6xf32>, %k: tensor<1x4x2x6xf32>, %v: tensor<1x4x2x6xf32>, %a: tensor<1x9x2x6xf32>, %b: tensor<1x9x2x6xf32>, %c: index) {
  // expected-error @+1 {{expected as many keys as queries with a cache}}
  %o:3 = linnet.attention %q, %k, %v cache(%a, %b) at %c {scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<1x4x2x6xf32>, tensor<1x4x2x6xf32>, tensor<1x9x2x6xf32>, tensor<1x9x2x6xf32>, index) -> (tensor<1x5x4x6xf32>, tensor<1x9x2x6xf32>, tensor<1x9x2x6xf32>)
  return
}

// -----

func.func @attention_c4_window(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x2x6xf32>, %v: tensor<1x5x2x6xf32>) {
  // expected-error @+1 {{expected a positive window, but got 0}}
  %o = linnet.attention %q, %k, %v {window = 0 : i64, scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<1x5x2x6xf32>, tensor<1x5x2x6xf32>) -> tensor<1x5x4x6xf32>
  return
}

// -----

func.func @attention_c4_negative_window(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x2x6xf32>, %v: tensor<1x5x2x6xf32>) {
  // expected-error @+1 {{expected a positive window, but got -1}}
  %o = linnet.attention %q, %k, %v {window = -1 : i64, scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<1x5x2x6xf32>, tensor<1x5x2x6xf32>) -> tensor<1x5x4x6xf32>
  return
}

// -----

func.func @attention_c4_soft_cap(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x2x6xf32>, %v: tensor<1x5x2x6xf32>) {
  // expected-error @+1 {{expected a positive soft_cap, but got 0}}
  %o = linnet.attention %q, %k, %v {soft_cap = 0.0 : f64, scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<1x5x2x6xf32>, tensor<1x5x2x6xf32>) -> tensor<1x5x4x6xf32>
  return
}

// -----

func.func @attention_c5_bias_shape(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x2x6xf32>, %v: tensor<1x5x2x6xf32>, %a: tensor<1x2x5x5xf32>) {
  // expected-error @+1 {{expected a bias [B or 1, H or 1, T, S], but got 'tensor<1x2x5x5xf32>'}}
  %o = linnet.attention %q, %k, %v bias(%a) {scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<1x5x2x6xf32>, tensor<1x5x2x6xf32>, tensor<1x2x5x5xf32>) -> tensor<1x5x4x6xf32>
  return
}

// -----

func.func @attention_c5_bias_rank(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x2x6xf32>, %v: tensor<1x5x2x6xf32>, %a: tensor<5x5xf32>) {
  // expected-error @+1 {{expected a bias [B or 1, H or 1, T, S], but got 'tensor<5x5xf32>'}}
  %o = linnet.attention %q, %k, %v bias(%a) {scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<1x5x2x6xf32>, tensor<1x5x2x6xf32>, tensor<5x5xf32>) -> tensor<1x5x4x6xf32>
  return
}

// -----

func.func @attention_c5_key_mask_shape(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x2x6xf32>, %v: tensor<1x5x2x6xf32>, %a: tensor<1x4xi32>) {
  // expected-error @+1 {{expected an integer key_mask [B, S], but got 'tensor<1x4xi32>'}}
  %o = linnet.attention %q, %k, %v key_mask(%a) {scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<1x5x2x6xf32>, tensor<1x5x2x6xf32>, tensor<1x4xi32>) -> tensor<1x5x4x6xf32>
  return
}

// -----

func.func @attention_c5_key_mask_type(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x2x6xf32>, %v: tensor<1x5x2x6xf32>, %a: tensor<1x5xf32>) {
  // expected-error @+1 {{expected an integer key_mask [B, S], but got 'tensor<1x5xf32>'}}
  %o = linnet.attention %q, %k, %v key_mask(%a) {scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<1x5x2x6xf32>, tensor<1x5x2x6xf32>, tensor<1x5xf32>) -> tensor<1x5x4x6xf32>
  return
}

// -----

func.func @attention_c5_mask_with_cache(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x2x6xf32>, %m: tensor<1x5xi32>, %c: tensor<1x9x2x6xf32>, %p: index) {
  // expected-error @+1 {{expected no bias and no key_mask with a cache}}
  %o:3 = linnet.attention %q, %k, %k key_mask(%m) cache(%c, %c) at %p {causal, scale = 1.0 : f64}
    : (tensor<1x5x4x6xf32>, tensor<1x5x2x6xf32>, tensor<1x5x2x6xf32>, tensor<1x5xi32>, tensor<1x9x2x6xf32>, tensor<1x9x2x6xf32>, index)
      -> (tensor<1x5x4x6xf32>, tensor<1x9x2x6xf32>, tensor<1x9x2x6xf32>)
  return
}

// -----

func.func @attention_c3_cache_of_values_in_keys(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x2x6xf32>, %c: tensor<1x9x2x6xf32>, %p: index) {
  // expected-error @+1 {{expected a cache of keys and a position, but got 2 caches and a position}}
  %o:3 = linnet.attention %q, %k cache(%c, %c) at %p {causal, scale = 1.0 : f64, value_width = 4 : i64}
    : (tensor<1x5x4x6xf32>, tensor<1x5x2x6xf32>, tensor<1x9x2x6xf32>, tensor<1x9x2x6xf32>, index)
      -> (tensor<1x5x4x4xf32>, tensor<1x9x2x6xf32>, tensor<1x9x2x6xf32>)
  return
}

// -----

func.func @attention_c6_both(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x2x6xf32>) {
  // expected-error @+1 {{expected either values or value_width, but got both}}
  %o = linnet.attention %q, %k, %k {scale = 1.0 : f64, value_width = 6 : i64} : (tensor<1x5x4x6xf32>, tensor<1x5x2x6xf32>, tensor<1x5x2x6xf32>) -> tensor<1x5x4x6xf32>
  return
}

// -----

func.func @attention_c6_neither(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x2x6xf32>) {
  // expected-error @+1 {{expected either values or value_width, but got neither}}
  %o = linnet.attention %q, %k {scale = 1.0 : f64} : (tensor<1x5x4x6xf32>, tensor<1x5x2x6xf32>) -> tensor<1x5x4x6xf32>
  return
}

// -----

func.func @attention_c6_wide(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x2x6xf32>) {
  // expected-error @+1 {{expected a value_width of at most the keys' width, but got 7 for 'tensor<1x5x2x6xf32>'}}
  %o = linnet.attention %q, %k {scale = 1.0 : f64, value_width = 7 : i64} : (tensor<1x5x4x6xf32>, tensor<1x5x2x6xf32>) -> tensor<1x5x4x7xf32>
  return
}

// -----

func.func @attention_c6_negative(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x2x6xf32>) {
  // expected-error @+2 {{expected a value_width of 1 or more, but got -3}}
  // expected-error @+1 {{failed to infer returned types}}
  %o = linnet.attention %q, %k {scale = 1.0 : f64, value_width = -3 : i64} : (tensor<1x5x4x6xf32>, tensor<1x5x2x6xf32>) -> tensor<1x5x4x6xf32>
  return
}

// -----

func.func @attention_c1_key_without_values(%q: tensor<1x5x4x6xf32>, %k: tensor<1x5x6xf32>) {
  // expected-error @+1 {{expected query, key and value of rank 4, but got}}
  %o = linnet.attention %q, %k {scale = 1.0 : f64, value_width = 6 : i64} : (tensor<1x5x4x6xf32>, tensor<1x5x6xf32>) -> tensor<1x5x4x6xf32>
  return
}
