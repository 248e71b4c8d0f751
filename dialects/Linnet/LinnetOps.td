//===- LinnetOps.td - the generation unit: includes only ------------------===//

#ifndef LINNET_OPS_TD
#define LINNET_OPS_TD

include "dialects/Linnet/WeightOps.td"
include "dialects/Linnet/LinearOps.td"
include "dialects/Linnet/NormOps.td"
include "dialects/Linnet/AttentionOps.td"
include "dialects/Linnet/AccumulateOps.td"
include "dialects/Linnet/ScanOps.td"
include "dialects/Linnet/ConvolutionOps.td"
include "dialects/Linnet/ExpertOps.td"
include "dialects/Linnet/RecurrenceOps.td"

#endif // LINNET_OPS_TD
