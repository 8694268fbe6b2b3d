/** What a report shows besides its tables: sweeps over one parameter or two, as plain data. */
package tacet.hardware.study;
