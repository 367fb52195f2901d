"""Names in the tree can be stored and listed, whatever the columns are called."""

from softseg.names import level_dim, parameter_name


def test_slashes_and_commas_do_not_reach_names_in_the_tree() -> None:
    for name in (parameter_name("price/unit, net", "mean"), level_dim("price/unit, net")):
        assert "/" not in name
        assert "," not in name
    assert parameter_name("price", "mean") == "price__mean"
