/**
 * Reverse-mode automatic differentiation. A {@link tacet.autograd.Pass} is one trip through a
 * model; {@link tacet.autograd.Ops} compute values and record, next to each value, how its gradient
 * flows back.
 */
package tacet.autograd;
