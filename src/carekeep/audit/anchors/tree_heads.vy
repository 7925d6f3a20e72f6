# pragma version 0.4.3
# pragma evm-version shanghai
"""
@title Tree heads of transparency logs
@license Apache-2.0
@notice Keeps, for whoever writes and for each log, a list of tree heads that can only grow. Nobody owns this contract,
        nothing in it can be changed or taken back, and everybody writes under their own address alone.
"""

struct Head:
    size: uint64
    root: bytes32

event Anchored:
    publisher: indexed(address)
    log_id: indexed(bytes32)
    number: uint256
    size: uint64
    root: bytes32

# By the publisher's address, the SHA-256 of the log's origin line, and the number of the head, which counts from 0.
heads: HashMap[address, HashMap[bytes32, HashMap[uint256, Head]]]
counts: HashMap[address, HashMap[bytes32, uint256]]


@external
def anchor(log_id: bytes32, size: uint64, root: bytes32):
    """
    @notice Adds a tree head of a log. Its size must be larger than that of the one before.
    """
    number: uint256 = self.counts[msg.sender][log_id]
    if number > 0:
        assert size > self.heads[msg.sender][log_id][number - 1].size, "the log only grows"
    else:
        assert size > 0, "an empty log is not anchored"
    self.heads[msg.sender][log_id][number] = Head(size=size, root=root)
    self.counts[msg.sender][log_id] = number + 1
    log Anchored(publisher=msg.sender, log_id=log_id, number=number, size=size, root=root)


@external
@view
def count(publisher: address, log_id: bytes32) -> uint256:
    """
    @notice How many heads a publisher has anchored of a log.
    """
    return self.counts[publisher][log_id]


@external
@view
def head(publisher: address, log_id: bytes32, number: uint256) -> (uint64, bytes32):
    """
    @notice Size and root of a head; zeroes where there is none.
    """
    found: Head = self.heads[publisher][log_id][number]
    return found.size, found.root
