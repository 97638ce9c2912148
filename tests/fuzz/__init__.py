"""Inputs that nobody means well: whatever reads them answers, with an error of ours at worst.

`targets` says what is read and by what, `mutation` makes inputs from sound ones, `campaign` counts.
`scripts/fuzz` is the full tier.
"""
