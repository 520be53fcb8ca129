"""A mesh on a plane, as files of Delft3D-FM hold it: four- and three-cornered faces, in metres."""

import numpy as np
import xarray as xr

NODE, FACE = "mesh2d_nNodes", "mesh2d_nFaces"


def corners_of(columns=12, rows=9):
    """The nodes of each face; every third square is cut in two triangles."""
    faces = []
    for row in range(rows):
        for column in range(columns):
            first = row * (columns + 1) + column
            square = [first, first + 1, first + columns + 2, first + columns + 1]
            cut = (row + column) % 3 == 0
            faces += [square[:3], [square[0], *square[2:]]] if cut else [square]
    return faces


def flat_mesh(columns=12, rows=9, step=100.0, units="m"):
    """Return a Dataset of depths at faces and nodes, and the nodes of each face."""
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(step * np.arange(columns + 1.0), step * np.arange(rows + 1.0))
    for axis in (x, y):
        axis[1:-1, 1:-1] += rng.uniform(-0.2, 0.2, (rows - 1, columns - 1)) * step
    x, y = x.ravel() + 6100 * step, y.ravel() + 58_000 * step
    faces = corners_of(columns, rows)
    numbers = np.full((len(faces), 4), np.nan)
    for row, face in zip(numbers, faces, strict=True):
        row[: len(face)] = np.add(face, 1)
    depth = np.hypot(x - x.mean(), y - y.mean()) / step
    link = {"grid_mapping": "projected_coordinate_system", "mesh": "mesh2d"}
    topology = {
        "cf_role": "mesh_topology", "topology_dimension": 2, "face_dimension": FACE,
        "node_coordinates": "mesh2d_node_x mesh2d_node_y",
        "face_node_connectivity": "mesh2d_face_nodes",
    }  # fmt: skip
    crs = {"grid_mapping_name": "Unknown projected", "epsg": 28992, "EPSG_code": "EPSG:28992"}
    ds = xr.Dataset(
        {
            "mesh2d": ((), 0, topology),
            "projected_coordinate_system": ((), 0, crs),
            "mesh2d_face_nodes": ((FACE, "corner"), numbers, {"start_index": 1}),
            "depth": (FACE, [depth[face].mean() for face in faces], link),
            "bed": (NODE, depth, link),
        },
        {
            f"mesh2d_node_{axis}": (
                NODE, places, {"units": units, "standard_name": f"projection_{axis}_coordinate"}
            )
            for axis, places in (("x", x), ("y", y))
        },
    )  # fmt: skip
    return ds, faces
