"""Labels as annotation programs and data sets write them: a module for each.

The programs are BORIS, ELAN, VIA, Label Studio, CVAT, FiftyOne, Bento, SimBA and
DeepEthogram; the data set is THUMOS-14. `state_events` serves both formats of BORIS,
and `xml_events` serves ELAN and CVAT, whose files are XML.
"""
