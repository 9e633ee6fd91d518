"""Chinese for the names that a validation pack shows, and its table of contents."""

from __future__ import annotations

from types import MappingProxyType

NAMES = MappingProxyType(
    {
        # splits and states of rows
        "development": "开发样本",
        "hold_out": "留出样本",
        "out_of_time": "跨期样本",
        "good": "好",
        "bad": "坏",
        "indeterminate": "不确定",
        "window incomplete": "窗口未完整",
        "in_default": "已违约",
        "closed": "已结清",
        "written_off": "已核销",
        "under_3_mob": "账龄不足 3 个月",
        "staff": "员工",
        "declined": "已拒绝",
        "not_taken_up": "未提款",
        # gates
        "auc_hold_out": "留出样本 AUC",
        "gini_drop": "Gini 下降",
        "stability": "稳定性",
        "sign": "符号方向",
        "no_protected_features": "不含受保护属性",
        "fairness": "公平性",
        "no_leakage": "无信息泄漏",
        "parity": "SQL 与模型一致",
        # models and terms
        "gradient_boosting_monotone": "梯度提升（单调）",
        "gradient_boosting_free": "梯度提升（不受限）",
        "characteristic": "变量",
        "coefficient": "系数",
        "p_value": "p 值",
        "vif": "方差膨胀因子",
        "iv": "IV",
        "importance": "重要性",
        "bins": "分箱数",
        "missing": "缺失",
        "other": "其他",
        "higher_is_riskier": "越高风险越大",
        "higher_is_safer": "越高风险越小",
        "none": "无",
    }
)
RULES = MappingProxyType(
    {
        "auc_hold_out": "留出样本的 AUC 不低于限值。",
        "gini_drop": "从开发到留出样本的 Gini 下降，扣除抽样误差（95 % 置信）后不超过限值。",
        "stability": "评分 PSI 不超过限值，或不超过样本量带来的随机波动。",
        "sign": "分值与数据的方向均与声明的业务方向一致。",
        "no_protected_features": "受保护属性不得入模，除非有具名批准。",
        "fairness": "各受保护群体通过率与最高组之比不低于限值（扣除抽样误差）。",
        "no_leakage": "任何候选变量单独的 AUC 不超过限值，否则疑为事后信息。",
        "parity": "仓库 SQL 与模型对每一行给出完全相同的结果。",
    }
)
CONTENTS = (
    ("summary", "结论", "Summary"),
    ("gates", "门槛", "Gates"),
    ("lineage", "数据血缘与样本", "Data lineage and sample"),
    ("discrimination", "区分能力与稳定性", "Discrimination and stability"),
    ("seeds", "对随机种子的敏感性", "Sensitivity to seeds"),
    ("gains", "提升与累计增益", "Lift and cumulative gains"),
    ("segments", "时间与客群", "Time and segments"),
    ("benchmark", "与冠军及对照模型比较", "Against champion and benchmarks"),
    ("calibration", "分等级校准", "Calibration by grade"),
    ("cut-off", "准入线分析", "Cut-off analysis"),
    ("fairness", "公平性", "Fairness"),
    ("stability", "变量稳定性", "Characteristic stability"),
    ("model", "模型与系数", "Model and coefficients"),
    ("points", "分箱、WOE 与分值表", "Binning, WOE and points table"),
    ("dropped", "未入模变量", "Left out"),
    ("changes", "变更记录", "Change log"),
    ("limits", "使用限制", "Limits of use"),
)
