"""The facts that the gateway carries: orders, fills, balances, positions, streams.

The ground floor. Everything here is frozen and pure: no I/O, no Trio, no clock.
Read `model` for the vocabulary, `identity` for what makes two reports one fact,
`numbers` and `times` for how quantities and instants are written, and `codec`
for the JSON that leaves the house.
"""
