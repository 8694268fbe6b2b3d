/**
 * The energy-ratio model of the paper's hardware table, and traces of which neurons fired. Start with
 * {@link tacet.hardware.EnergyMeter} and {@link tacet.hardware.ActivationTrace}; simulators are in
 * {@code tacet.hardware.arch}.
 */
package tacet.hardware;
