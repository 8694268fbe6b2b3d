/**
 * Accelerators that multiply M tokens of K inputs by a K × N matrix, with or without the zeros. One interface,
 * {@link tacet.hardware.arch.Accelerator}, five architectures, three fidelities; see docs/hardware.md.
 */
package tacet.hardware.arch;
